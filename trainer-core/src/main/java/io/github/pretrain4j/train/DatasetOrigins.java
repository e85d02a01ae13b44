package io.github.pretrain4j.train;

import io.github.pretrain4j.dataset.DatasetMetadata;
import io.github.pretrain4j.dataset.TokenizerIdentity;
import io.github.pretrain4j.dataset.gpt.Blend;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Compares the tokenizer that a dataset's {@code .meta.json} names with the one of the training.
 * Ids of another tokenizer train without an error, and in vain.
 */
final class DatasetOrigins {
  private DatasetOrigins() {}

  /**
   * Checks every dataset of a run that has a {@code .meta.json}.
   *
   * @throws IllegalArgumentException for one that another tokenizer made, unless options allow it
   */
  static void check(TrainConfig config, TrainTokenizer tokenizer, @Nullable Blend... blends)
      throws IOException {
    if (config.data().allowTokenizerMismatch()) {
      return;
    }
    Set<String> prefixes = new LinkedHashSet<>();
    for (Blend blend : blends) {
      if (blend != null) {
        blend.members().forEach(member -> prefixes.add(member.prefix()));
      }
    }
    for (String set : config.data().extraValidDataPath()) {
      prefixes.add(set.substring(set.indexOf('=') + 1));
    }
    for (String prefix : prefixes) {
      check(Path.of(prefix), tokenizer.identity());
    }
  }

  private static void check(Path prefix, TokenizerIdentity expected) throws IOException {
    Optional<DatasetMetadata> metadata = DatasetMetadata.read(prefix);
    TokenizerIdentity made = metadata.map(DatasetMetadata::tokenizer).orElse(null);
    if (made != null && !made.sameAs(expected)) {
      throw new IllegalArgumentException(
          "%s: made with the tokenizer %s, the training names %s: preprocess the corpus again, or give allow_tokenizer_mismatch if their ids are the same"
              .formatted(DatasetMetadata.file(prefix), made, expected));
    }
  }
}
