package io.github.pretrain4j.tokenizer.huggingface;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A sound {@code tokenizer.json} of a few tokens, to be changed in one place and written. */
final class TinyTokenizer {
  private static final String SOUND =
      """
      {
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [
          {"id": 4, "content": "<e>", "single_word": false, "lstrip": false, "rstrip": false,
           "normalized": false, "special": true}
        ],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "Isolated",
          "invert": false},
        "post_processor": {"type": "TemplateProcessing",
          "single": [{"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "<e>", "type_id": 0}}],
          "pair": [], "special_tokens": {"<e>": {"id": "<e>", "ids": [4], "tokens": ["<e>"]}}},
        "decoder": {"type": "Sequence", "decoders": [{"type": "Fuse"},
          {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": null, "unk_token": null,
          "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
          "byte_fallback": false, "ignore_merges": false,
          "vocab": {"a": 0, "b": 1, "ab": 2, " ": 3}, "merges": [["a", "b"]]}
      }
      """;

  private TinyTokenizer() {}

  static String text() {
    return SOUND;
  }

  /** The file with the value at a JSON pointer replaced, or added. */
  static String with(String pointer, String json) throws IOException {
    ObjectNode root = (ObjectNode) Golden.JSON.readTree(SOUND);
    int last = pointer.lastIndexOf('/');
    ObjectNode parent = (ObjectNode) root.at(pointer.substring(0, last));
    parent.set(pointer.substring(last + 1), Golden.JSON.readTree(json));
    return root.toString();
  }

  static String without(String pointer) throws IOException {
    ObjectNode root = (ObjectNode) Golden.JSON.readTree(SOUND);
    int last = pointer.lastIndexOf('/');
    ((ObjectNode) root.at(pointer.substring(0, last))).remove(pointer.substring(last + 1));
    return root.toString();
  }

  static Path write(Path folder, String text) throws IOException {
    return Files.writeString(folder.resolve("tokenizer.json"), text);
  }
}
