package io.github.pretrain4j.quickstart;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The self-contained HTML page a run ends with: what each step made, what it proved, the curves.
 */
final class ReportPage {
  private static final String STYLE =
      """
      body { font: 15px/1.5 system-ui, sans-serif; max-width: 900px; margin: 2rem auto; padding: 0 1rem;
             color: #1c2024; background: #fff }
      h1 { margin-bottom: 0 } h2 { margin-top: 2rem } .lead { color: #5a6570; margin-top: .2rem }
      table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .35rem .6rem;
              border-bottom: 1px solid #e4e8eb; vertical-align: top } th { font-weight: 600 }
      td.number { text-align: right; font-variant-numeric: tabular-nums }
      pre { background: #f5f7f8; padding: .8rem; overflow-x: auto; white-space: pre-wrap }
      svg { width: 100%; height: auto } .grid { stroke: #e4e8eb } .tick, .legend { font-size: 12px; fill: #5a6570 }
      """;

  private final List<String> sections = new ArrayList<>();

  ReportPage heading(String text) {
    sections.add("<h2>" + escape(text) + "</h2>");
    return this;
  }

  ReportPage paragraph(String text) {
    sections.add("<p>" + escape(text) + "</p>");
    return this;
  }

  ReportPage preformatted(String text) {
    sections.add("<pre>" + escape(text) + "</pre>");
    return this;
  }

  ReportPage chart(LossChart chart) {
    sections.add(chart.toSvg());
    return this;
  }

  /** A table; every row has as many cells as {@code header}. */
  ReportPage table(List<String> header, List<List<String>> rows) {
    StringBuilder html = new StringBuilder("<table><tr>");
    header.forEach(cell -> html.append("<th>").append(escape(cell)).append("</th>"));
    html.append("</tr>\n");
    for (List<String> row : rows) {
      html.append("<tr>");
      row.forEach(cell -> html.append("<td>").append(escape(cell)).append("</td>"));
      html.append("</tr>\n");
    }
    sections.add(html.append("</table>").toString());
    return this;
  }

  void write(Path file, String title, String lead) throws IOException {
    Files.writeString(
        file,
        "<!doctype html>\n<html lang='en'><meta charset='utf-8'>"
            + "<meta name='viewport' content='width=device-width, initial-scale=1'><title>"
            + escape(title)
            + "</title><style>"
            + STYLE
            + "</style>\n<h1>"
            + escape(title)
            + "</h1><p class='lead'>"
            + escape(lead)
            + "</p>\n"
            + String.join("\n", sections)
            + "\n</html>\n");
  }

  static String escape(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("'", "&#39;")
        .replace("\"", "&quot;");
  }
}
