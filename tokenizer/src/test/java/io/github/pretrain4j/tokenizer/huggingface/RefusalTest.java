package io.github.pretrain4j.tokenizer.huggingface;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.tokenizer.Tokenizers;
import io.github.pretrain4j.tokenizer.UnsupportedTokenizerException;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What we do not know is refused by name. */
class RefusalTest {
  @TempDir private Path folder = Path.of("");

  @Test
  void theFileItselfIsKnown() throws IOException {
    assertArrayEquals(
        new int[] {2, 3, 4, 0},
        Tokenizers.load(TinyTokenizer.write(folder, TinyTokenizer.text())).encode("ab <e>a"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "/model/type | \"WordPiece\" | model WordPiece",
        "/model/type | \"Unigram\" | model Unigram",
        "/model/type | \"WordLevel\" | model WordLevel",
        "/model/dropout | 0.1 | model dropout 0.1",
        "/model/continuing_subword_prefix | \"##\" | model continuing_subword_prefix \"##\"",
        "/model/end_of_word_suffix | \"</w>\" | model end_of_word_suffix \"</w>\"",
        "/model/unk_token | \"?\" | model unk_token \"?\" outside the vocabulary",
        "/model/extra | 1 | model field extra",
        "/version | \"2.0\" | version \"2.0\"",
        "/extra | 1 | field extra",
        "/normalizer | {\"type\":\"NFKC\"} | normalizer NFKC",
        "/normalizer | {\"type\":\"NFD\"} | normalizer NFD",
        "/normalizer | {\"type\":\"Lowercase\"} | normalizer Lowercase",
        "/normalizer | {\"type\":\"Precompiled\",\"precompiled_charsmap\":\"\"}"
            + " | normalizer Precompiled",
        "/normalizer | {\"type\":\"NFC\",\"form\":1} | normalizer NFC field form",
        "/normalizer | {\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"BertNormalizer\"}]}"
            + " | normalizer BertNormalizer",
        "/normalizer | {\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a+\"},\"content\":\"b\"}"
            + " | normalizer Replace pattern Regex \"a+\"",
        "/pre_tokenizer | {\"type\":\"BertPreTokenizer\"} | pre_tokenizer BertPreTokenizer",
        "/pre_tokenizer | {\"type\":\"WhitespaceSplit\"} | pre_tokenizer WhitespaceSplit",
        "/pre_tokenizer/pattern | {\"Regex\":\"\\\\d+\"} | pre_tokenizer Split pattern \"\\d+\"",
        "/pre_tokenizer/behavior | \"Removed\" | pre_tokenizer Split behavior Removed",
        "/pre_tokenizer/behavior | \"Contiguous\" | pre_tokenizer Split behavior Contiguous",
        "/pre_tokenizer/invert | true | pre_tokenizer Split behavior Isolated inverted",
        "/pre_tokenizer | {\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\"},"
            + "{\"type\":\"Digits\"}]} | pre_tokenizer Digits after ByteLevel",
        "/pre_tokenizer | {\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\"},"
            + "{\"type\":\"ByteLevel\"}]} | pre_tokenizer ByteLevel add_prefix_space after another",
        "/post_processor/type | \"Other\" | post_processor Other",
        "/decoder | {\"type\":\"WordPiece\"} | decoder WordPiece",
        "/decoder | {\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},"
            + "{\"type\":\"ByteFallback\"}]} | decoder ByteFallback at this place of a Sequence",
      })
  void refusesByName(String pointer, String json, String component) throws IOException {
    Path file = TinyTokenizer.write(folder, TinyTokenizer.with(pointer, json));
    var e = assertThrows(UnsupportedTokenizerException.class, () -> Tokenizers.load(file));
    assertEquals(component, e.component());
    assertEquals(file, e.file());
    assertTrue(e.toString().contains(file + ": " + component), e.toString());
  }

  @Test
  void refusesAUnigramOfTheFirstVersionsWithoutAType() throws IOException {
    Path file =
        TinyTokenizer.write(
            folder, TinyTokenizer.with("/model", "{\"unk_id\":0,\"vocab\":[[\"a\",0.5]]}"));
    assertThrows(UnsupportedTokenizerException.class, () -> Tokenizers.load(file));
  }

  @Test
  void aModelWithoutATypeThatHasMergesIsBpe() throws IOException {
    Path file = TinyTokenizer.write(folder, TinyTokenizer.without("/model/type"));
    assertArrayEquals(new int[] {2}, Tokenizers.load(file).encode("ab"));
  }
}
