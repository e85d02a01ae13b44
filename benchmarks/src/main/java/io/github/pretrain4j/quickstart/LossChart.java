package io.github.pretrain4j.quickstart;

import java.util.List;
import java.util.Locale;

/** Draws loss curves as one inline SVG: no script, no font, no address outside the page. */
final class LossChart {
  private static final int WIDTH = 860;
  private static final int HEIGHT = 320;
  private static final int LEFT = 56;
  private static final int RIGHT = 20;
  private static final int TOP = 16;
  private static final int BOTTOM = 40;
  private static final int GRID_LINES = 5;

  /** One curve: a name, a CSS colour and its points in the order they are joined. */
  record Curve(String name, String colour, List<Point> points) {}

  /** Loss (nats per token) after {@code iteration}. */
  record Point(double iteration, double loss) {}

  private final double minX;
  private final double maxX;
  private final double minY;
  private final double maxY;
  private final List<Curve> curves;

  LossChart(List<Curve> curves) {
    this.curves = List.copyOf(curves);
    List<Point> all = curves.stream().flatMap(curve -> curve.points().stream()).toList();
    if (all.isEmpty()) {
      throw new IllegalArgumentException("a chart needs at least one point");
    }
    minX = all.stream().mapToDouble(Point::iteration).min().orElseThrow();
    maxX = Math.max(minX + 1, all.stream().mapToDouble(Point::iteration).max().orElseThrow());
    minY = Math.floor(all.stream().mapToDouble(Point::loss).min().orElseThrow() * 2) / 2;
    maxY = Math.max(minY + 0.5, all.stream().mapToDouble(Point::loss).max().orElseThrow());
  }

  /** The SVG element, with axes, grid and legend. */
  String toSvg() {
    StringBuilder svg = new StringBuilder();
    svg.append(
        String.format(
            Locale.ROOT,
            "<svg viewBox='0 0 %d %d' role='img' aria-label='loss by iteration'>%n",
            WIDTH,
            HEIGHT));
    for (int line = 0; line <= GRID_LINES; line++) {
      double loss = minY + (maxY - minY) * line / GRID_LINES;
      double iteration = minX + (maxX - minX) * line / GRID_LINES;
      svg.append(
          String.format(
              Locale.ROOT,
              "<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' class='grid'/>"
                  + "<text x='%d' y='%.1f' class='tick' text-anchor='end'>%.2f</text>"
                  + "<text x='%.1f' y='%d' class='tick' text-anchor='middle'>%.0f</text>%n",
              LEFT,
              WIDTH - RIGHT,
              y(loss),
              y(loss),
              LEFT - 8,
              y(loss) + 4,
              loss,
              x(iteration),
              HEIGHT - BOTTOM + 20,
              iteration));
    }
    for (int i = 0; i < curves.size(); i++) {
      appendCurve(svg, curves.get(i), i);
    }
    return svg.append("</svg>\n").toString();
  }

  private void appendCurve(StringBuilder svg, Curve curve, int index) {
    StringBuilder path = new StringBuilder();
    for (Point point : curve.points()) {
      path.append(String.format(Locale.ROOT, "%.1f,%.1f ", x(point.iteration()), y(point.loss())));
    }
    int legendX = WIDTH - 240;
    int legendY = TOP + 16 + 20 * index;
    svg.append(
        String.format(
            Locale.ROOT,
            "<polyline points='%s' fill='none' stroke='%s' stroke-width='2'/>"
                + "<line x1='%d' x2='%d' y1='%d' y2='%d' stroke='%s' stroke-width='3'/>"
                + "<text x='%d' y='%d' class='legend'>%s</text>%n",
            path.toString().trim(),
            curve.colour(),
            legendX,
            legendX + 24,
            legendY,
            legendY,
            curve.colour(),
            legendX + 32,
            legendY + 4,
            ReportPage.escape(curve.name())));
  }

  private double x(double iteration) {
    return LEFT + (iteration - minX) / (maxX - minX) * (WIDTH - LEFT - RIGHT);
  }

  private double y(double loss) {
    return HEIGHT - BOTTOM - (loss - minY) / (maxY - minY) * (HEIGHT - TOP - BOTTOM);
  }
}
