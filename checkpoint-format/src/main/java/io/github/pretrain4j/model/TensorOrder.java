package io.github.pretrain4j.model;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The order of a model's tensors: embeddings, layer after layer, the rest; within a layer by
 * module.
 *
 * @param modules the modules of a layer in order; tensors of others follow them, as they came
 */
record TensorOrder(List<String> modules) {
  private static final Pattern LAYER = Pattern.compile("layers\\.(\\d+)\\.(.*)");

  private record Place(int section, int layer, int module) {
    private static final Comparator<Place> ORDER =
        Comparator.comparingInt(Place::section)
            .thenComparingInt(Place::layer)
            .thenComparingInt(Place::module);
  }

  Map<String, MappedTensor> sort(Map<String, MappedTensor> tensors) {
    List<MappedTensor> sorted = new ArrayList<>(tensors.values());
    sorted.sort(Comparator.comparing(tensor -> place(tensor.name()), Place.ORDER));
    Map<String, MappedTensor> result = new LinkedHashMap<>();
    for (MappedTensor tensor : sorted) {
      result.put(tensor.name(), tensor);
    }
    return result;
  }

  private Place place(String name) {
    Matcher matcher = LAYER.matcher(name);
    if (!matcher.find()) {
      return new Place(name.contains("embed") ? 0 : 2, 0, 0);
    }
    int module = 0;
    while (module < modules.size() && !matcher.group(2).startsWith(modules.get(module) + ".")) {
      module++;
    }
    return new Place(1, Integer.parseInt(matcher.group(1)), module);
  }
}
