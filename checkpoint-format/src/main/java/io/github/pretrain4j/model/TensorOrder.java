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
 * module, within a module by expert.
 *
 * @param modules the modules of a layer in order; tensors of others follow them, as they came
 */
record TensorOrder(List<String> modules) {
  private static final Pattern LAYER =
      Pattern.compile("(mtp\\.|)(?:\\w+\\.)*layers\\.(\\d+)\\.(?:transformer_layer\\.)?(.*)");
  private static final Pattern EXPERT = Pattern.compile("experts\\.(\\d+)\\.");

  private record Place(int section, int layer, int module, int expert, MappedTensor tensor) {
    private static final Comparator<Place> ORDER =
        Comparator.comparingInt(Place::section)
            .thenComparingInt(Place::layer)
            .thenComparingInt(Place::module)
            .thenComparingInt(Place::expert);
  }

  Map<String, MappedTensor> sort(Map<String, MappedTensor> tensors) {
    List<Place> places = new ArrayList<>();
    for (MappedTensor tensor : tensors.values()) {
      places.add(place(tensor));
    }
    places.sort(Place.ORDER);
    Map<String, MappedTensor> result = new LinkedHashMap<>();
    for (Place place : places) {
      result.put(place.tensor.name(), place.tensor);
    }
    return result;
  }

  private Place place(MappedTensor tensor) {
    String name = tensor.name();
    Matcher matcher = LAYER.matcher(name);
    if (!matcher.matches()) {
      int section = name.contains("embed") ? 0 : name.startsWith("output_layer.") ? 4 : 2;
      return new Place(section, 0, 0, 0, tensor);
    }
    String rest = matcher.group(3);
    int module = 0;
    while (module < modules.size() && !rest.startsWith(modules.get(module) + ".")) {
      module++;
    }
    Matcher expert = EXPERT.matcher(rest);
    return new Place(
        matcher.group(1).isEmpty() ? 1 : 3,
        Integer.parseInt(matcher.group(2)),
        module,
        expert.find() ? Integer.parseInt(expert.group(1)) : 0,
        tensor);
  }
}
