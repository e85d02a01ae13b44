package io.github.pretrain4j.train;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.deser.std.FromStringDeserializer;
import com.fasterxml.jackson.databind.introspect.BeanPropertyDefinition;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.ser.std.ToStringSerializer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The flat list of options behind {@link TrainConfig}, read off its five records.
 *
 * <p>Both spellings become one JSON object with snake-case names: defaults first, then the file,
 * then the flags. That object is cut into the five parts, and Jackson binds each.
 */
final class TrainOptions {
  /**
   * Megatron options that scripts commonly pass and that change what is computed; refused with
   * their own words.
   */
  private static final Map<String, String> NOT_YET =
      Map.ofEntries(
          Map.entry("bf16", "training is in fp32"),
          Map.entry("fp16", "training is in fp32"),
          Map.entry("sequence_parallel", "training is in one process"),
          Map.entry("context_parallel_size", "training is in one process"),
          Map.entry("expert_model_parallel_size", "training is in one process"),
          Map.entry("use_distributed_optimizer", "training is in one process"),
          Map.entry("overlap_grad_reduce", "training is in one process"),
          Map.entry("overlap_param_gather", "training is in one process"),
          Map.entry("rampup_batch_size", "the batch size is constant"),
          Map.entry("reset_attention_mask", "attention crosses documents"),
          Map.entry("calculate_per_token_loss", "the loss is the mean of micro-batches"),
          Map.entry("decoupled_lr", "there is one learning rate"),
          Map.entry("num_experts", "there are no experts"),
          Map.entry("qk_layernorm", "queries and keys are not normalised"),
          Map.entry("recompute_granularity", "activations are kept"),
          Map.entry("recompute_activations", "activations are kept"),
          Map.entry("window_size", "config.json's sliding_window takes its place"),
          Map.entry("rotary_interpolation_factor", "config.json's rope_scaling takes its place"),
          Map.entry("rotary_seq_len_interpolation_factor", "config.json's takes its place"),
          Map.entry("full_validation", "an evaluation has eval_iters batches"),
          Map.entry("multiple_validation_sets", "extra_valid_data_path takes its place"),
          Map.entry("mock_data", "data_path takes its place"),
          Map.entry("async_save", "checkpoints are saved at once"),
          Map.entry("use_dist_ckpt", "checkpoints are of the torch format"),
          Map.entry("tensorboard_dir", "metrics_file takes its place"));

  private static final String ANY = "";

  /**
   * Options of Megatron that scripts commonly pass and that change nothing here: how it computes,
   * not what. They are accepted and do nothing; an option that takes a value only with the one that
   * is neutral, or, where {@link #ANY} stands, with any. Empty: a switch.
   */
  private static final Map<String, Optional<String>> NO_EFFECT = noEffect();

  private static Map<String, Optional<String>> noEffect() {
    Map<String, Optional<String>> options = new TreeMap<>();
    for (String name :
        List.of(
            "use_flash_attn",
            "use_mcore_models",
            "no_masked_softmax_fusion",
            "no_bias_gelu_fusion",
            "no_bias_swiglu_fusion",
            "no_bias_dropout_fusion",
            "no_rope_fusion",
            "no_gradient_accumulation_fusion",
            "no_async_tensor_model_parallel_allreduce",
            "attention_softmax_in_fp32",
            "accumulate_allreduce_grads_in_fp32",
            "log_progress")) {
      options.put(name, Optional.empty());
    }
    for (String name :
        List.of("transformer_impl", "num_workers", "distributed_timeout_minutes", "local_rank")) {
      options.put(name, Optional.of(ANY));
    }
    options.put("distributed_backend", Optional.of("nccl"));
    options.put("rotary_percent", Optional.of("1.0"));
    options.put("ckpt_format", Optional.of("torch"));
    return Collections.unmodifiableMap(options);
  }

  private static final Set<String> NOT_RECORDED =
      Set.of(
          "hf_config",
          "use_checkpoint_args",
          "model_name",
          "extra_valid_data_path",
          "data_cache_path",
          "change_blend",
          "allow_tokenizer_mismatch",
          "log_interval",
          "log_throughput",
          "metrics_file",
          "skip_train",
          "exit_interval",
          "exit_duration_in_mins",
          "backend",
          "threads");

  private final JsonMapper mapper =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
          .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
          .addModule(paths())
          .build();
  private final Map<Class<?>, List<Option>> parts = new LinkedHashMap<>();
  private final Map<String, Option> options = new TreeMap<>();

  /**
   * One option: its snake-case name, the type of its value, its default in JSON and what it means.
   */
  private record Option(String name, JavaType type, @Nullable String defaultValue, String meaning) {
    boolean isFlag() {
      return type.hasRawClass(boolean.class);
    }

    boolean isList() {
      return type.isCollectionLikeType();
    }

    boolean isText() {
      return type.hasRawClass(String.class) || type.hasRawClass(Path.class);
    }

    String flag() {
      return "--" + name.replace('_', '-');
    }
  }

  private TrainOptions() {
    for (Class<?> part :
        List.of(
            ModelOptions.class,
            DataOptions.class,
            RunOptions.class,
            OptimizerOptions.class,
            CheckpointOptions.class)) {
      List<Option> list = new ArrayList<>();
      JavaType type = mapper.constructType(part);
      for (BeanPropertyDefinition property :
          mapper.getDeserializationConfig().introspect(type).findProperties()) {
        if (property.hasConstructorParameter()) {
          Option option =
              new Option(
                  property.getName(),
                  property.getPrimaryType(),
                  property.getMetadata().getDefaultValue(),
                  String.valueOf(property.getMetadata().getDescription()));
          list.add(option);
          options.put(option.name(), option);
        }
      }
      parts.put(part, list);
    }
  }

  /** A path is the text the user wrote; by itself Jackson would make it a URI. */
  private static SimpleModule paths() {
    return new SimpleModule()
        .addSerializer(Path.class, new ToStringSerializer())
        .addDeserializer(
            Path.class,
            new FromStringDeserializer<Path>(Path.class) {
              @Override
              protected Path _deserialize(String value, DeserializationContext context) {
                return Path.of(value);
              }
            });
  }

  static TrainConfig parse(String... flags) throws IOException {
    TrainOptions table = new TrainOptions();
    ObjectNode given = table.mapper.createObjectNode();
    for (int i = 0; i < flags.length; i++) {
      if (flags[i].equals("--config")) {
        if (i + 1 == flags.length) {
          throw new IllegalArgumentException("--config needs a value");
        }
        table.addFile(Path.of(flags[i + 1]), given);
      } else if (flags[i].startsWith("--config=")) {
        table.addFile(Path.of(flags[i].substring("--config=".length())), given);
      }
    }
    table.addFlags(flags, given);
    return table.bind(given);
  }

  static TrainConfig read(Path file) throws IOException {
    TrainOptions table = new TrainOptions();
    ObjectNode given = table.mapper.createObjectNode();
    table.addFile(file, given);
    return table.bind(given);
  }

  static TrainConfig of(Map<String, ?> values) {
    TrainOptions table = new TrainOptions();
    ObjectNode given = table.mapper.createObjectNode();
    values.forEach(
        (name, value) ->
            given.set(
                name,
                table.mapper.valueToTree(value instanceof Path path ? path.toString() : value)));
    return table.bind(given);
  }

  static String toJson(TrainConfig config) {
    TrainOptions table = new TrainOptions();
    ObjectNode all = table.mapper.createObjectNode();
    for (Record part :
        List.of(
            config.model(), config.data(), config.run(), config.optimizer(), config.checkpoint())) {
      for (Option option : table.parts.getOrDefault(part.getClass(), List.of())) {
        JsonNode value = table.mapper.valueToTree(part).get(option.name());
        if (value != null && !value.isNull()) {
          all.set(option.name(), value);
        }
      }
    }
    return all.toPrettyString();
  }

  /**
   * What a checkpoint's {@code args} record: the options that decide what is computed, not where it
   * is read from, written to or run on, so that interrupted and uninterrupted runs write the same
   * file.
   */
  static Map<String, @Nullable Object> trainingArguments(TrainConfig config) {
    TrainOptions table = new TrainOptions();
    Map<String, @Nullable Object> arguments = new LinkedHashMap<>();
    for (Record part : List.of(config.model(), config.data(), config.run(), config.optimizer())) {
      Map<String, Object> values =
          table.mapper.convertValue(part, new TypeReference<LinkedHashMap<String, Object>>() {});
      values.keySet().removeAll(NOT_RECORDED);
      arguments.putAll(values);
    }
    return arguments;
  }

  static List<String> usage() {
    TrainOptions table = new TrainOptions();
    List<String> lines = new ArrayList<>();
    lines.add("--config FILE  a JSON file of these options, in snake case");
    for (List<Option> part : table.parts.values()) {
      for (Option option : part) {
        String value = option.isFlag() ? "" : option.isList() ? " VALUE..." : " VALUE";
        String byDefault =
            option.defaultValue() == null || option.defaultValue().equals("[]")
                ? ""
                : " (default " + option.defaultValue() + ")";
        lines.add(option.flag() + value + "  " + option.meaning() + byDefault);
      }
    }
    NO_EFFECT.forEach(
        (name, only) ->
            lines.add(
                "--"
                    + name.replace('_', '-')
                    + only.map(value -> value.equals(ANY) ? " VALUE" : " " + value).orElse("")
                    + "  no effect: accepted for scripts of Megatron"));
    return lines;
  }

  private void addFile(Path file, ObjectNode given) throws IOException {
    JsonNode root;
    try {
      root = mapper.readTree(Files.readAllBytes(file));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(
          "%s: not JSON, line %d: %s"
              .formatted(
                  file,
                  e.getLocation() == null ? 0 : e.getLocation().getLineNr(),
                  e.getOriginalMessage()),
          e);
    }
    if (!(root instanceof ObjectNode object)) {
      throw new IllegalArgumentException(
          file + ": expected a JSON object of options, found " + root.getNodeType());
    }
    Set<String> seen = new HashSet<>();
    object
        .properties()
        .forEach(
            entry -> {
              String name = entry.getKey().replace('-', '_');
              if (!seen.add(name)) {
                throw new IllegalArgumentException(
                    file + ": Duplicate option " + name + " in two spellings");
              }
              given.set(name, entry.getValue());
            });
  }

  private void addFlags(String[] flags, ObjectNode given) {
    int i = 0;
    while (i < flags.length) {
      String flag = flags[i++];
      if (!flag.startsWith("--")) {
        throw new IllegalArgumentException(
            "unexpected argument '" + flag + "': options start with --");
      }
      int equals = flag.indexOf('=');
      String name = flag.substring(2, equals < 0 ? flag.length() : equals).replace('-', '_');
      List<String> values = new ArrayList<>();
      if (equals >= 0) {
        values.add(flag.substring(equals + 1));
      }
      if (name.equals("config")) {
        i += equals < 0 ? 1 : 0;
        continue;
      }
      Optional<String> neutral = NO_EFFECT.get(name);
      if (neutral != null) {
        boolean separate = neutral.isPresent() && equals < 0 && i < flags.length;
        if (separate) {
          values.add(flags[i++]);
        }
        requireNeutral(name, neutral, values.isEmpty() ? null : values.getFirst());
        continue;
      }
      Option option = option(name);
      if (option.isList() && equals < 0) {
        while (i < flags.length && !flags[i].startsWith("--")) {
          values.add(flags[i++]);
        }
      } else if (!option.isFlag() && equals < 0 && i < flags.length) {
        values.add(flags[i++]);
      }
      given.set(name, value(option, values));
    }
  }

  /** An option without effect must not ask for anything else than what happens anyway. */
  private static void requireNeutral(
      String name, Optional<String> neutral, @Nullable String value) {
    if (neutral.isEmpty()) {
      if (value != null && !value.equals("true")) {
        throw new IllegalArgumentException("option " + name + " takes no value, found " + value);
      }
      return;
    }
    if (value == null) {
      throw new IllegalArgumentException("--" + name.replace('_', '-') + " needs a value");
    }
    String only = neutral.get();
    if (!only.equals(ANY) && !value.equals(only) && !plainNumber(value + ".0").equals(only)) {
      throw new IllegalArgumentException(
          "option %s of Megatron is not supported yet with the value %s (only %s)"
              .formatted(name, value, only));
    }
  }

  private JsonNode value(Option option, List<String> values) {
    if (option.isList()) {
      ArrayNode list = mapper.createArrayNode();
      values.forEach(list::add);
      return list;
    }
    if (values.isEmpty()) {
      if (option.isFlag()) {
        return mapper.getNodeFactory().booleanNode(true);
      }
      throw new IllegalArgumentException(option.flag() + " needs a value");
    }
    String text = values.getFirst();
    if (option.isText()) {
      return mapper.getNodeFactory().textNode(text);
    }
    try {
      JsonNode node = mapper.readTree(plainNumber(text));
      if (node.isNumber() || node.isBoolean()) {
        return node;
      }
    } catch (JsonProcessingException e) {
      // Not a literal: reported below, with the option's name.
    }
    throw new IllegalArgumentException(
        option.flag()
            + ": expected "
            + option.type().getRawClass().getSimpleName().toLowerCase(Locale.ROOT)
            + ", found '"
            + text
            + "'");
  }

  /** Python writes numbers that JSON does not take: {@code .5}, {@code 1.}, {@code +1}. */
  private static String plainNumber(String text) {
    return text.replaceFirst("^\\+", "")
        .replaceFirst("^(-?)\\.", "$10.")
        .replaceFirst("\\.(?=$|[eE])", ".0");
  }

  private Option option(String name) {
    Option option = options.get(name);
    if (option != null) {
      return option;
    }
    String reason = NOT_YET.get(name);
    if (reason != null) {
      throw new IllegalArgumentException(
          "option " + name + " of Megatron is not supported yet (" + reason + "); leave it out");
    }
    String nearest = nearest(name);
    boolean near = editDistance(name, nearest) <= Math.max(3, name.length() / 3);
    throw new IllegalArgumentException(
        "unknown option " + name + (near ? "; did you mean " + nearest + "?" : ""));
  }

  private String nearest(String name) {
    String best = "";
    int bestDistance = Integer.MAX_VALUE;
    for (String known : options.keySet()) {
      int distance = editDistance(name, known);
      if (distance < bestDistance) {
        best = known;
        bestDistance = distance;
      }
    }
    return best;
  }

  /** Levenshtein distance. */
  private static int editDistance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j < row.length; j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j < row.length; j++) {
        int substitute = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(substitute, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }

  private TrainConfig bind(ObjectNode given) {
    NO_EFFECT.forEach(
        (name, neutral) -> {
          JsonNode value = given.remove(name);
          if (value != null) {
            requireNeutral(name, neutral, value.asText());
          }
        });
    given.fieldNames().forEachRemaining(this::option);
    return new TrainConfig(
        bind(given, ModelOptions.class),
        bind(given, DataOptions.class),
        bind(given, RunOptions.class),
        bind(given, OptimizerOptions.class),
        bind(given, CheckpointOptions.class));
  }

  private <T> T bind(ObjectNode given, Class<T> part) {
    ObjectNode values = mapper.createObjectNode();
    for (Option option : parts.getOrDefault(part, List.of())) {
      JsonNode value = given.get(option.name());
      if (value == null || value.isNull()) {
        value = defaultOf(option);
      } else if ((option.isText() && !value.isTextual())
          || (option.isFlag() && !value.isBoolean())) {
        throw new IllegalArgumentException(
            "option "
                + option.name()
                + ": expected "
                + (option.isText() ? "text" : "true or false")
                + ", found "
                + value);
      }
      if (value != null) {
        values.set(option.name(), value);
      }
    }
    try {
      return mapper.treeToValue(values, part);
    } catch (JsonProcessingException e) {
      String where = e instanceof JsonMappingException mapping ? mapping.getPathReference() : "";
      throw new IllegalArgumentException(
          "option " + where.replaceAll(".*\\[\"|\"\\].*", "") + ": " + e.getOriginalMessage(), e);
    }
  }

  private @Nullable JsonNode defaultOf(Option option) {
    if (option.defaultValue() != null) {
      if (option.isText()) {
        return mapper.getNodeFactory().textNode(option.defaultValue());
      }
      try {
        return mapper.readTree(option.defaultValue());
      } catch (JsonProcessingException e) {
        throw new IllegalStateException("default of " + option.name(), e);
      }
    }
    if (option.isFlag()) {
      return mapper.getNodeFactory().booleanNode(false);
    }
    return option.type().isPrimitive() ? mapper.getNodeFactory().numberNode(0) : null;
  }
}
