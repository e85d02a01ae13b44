package io.github.pretrain4j.tokenizer.megatron;

import io.github.pretrain4j.tokenizer.Encoder;
import io.github.pretrain4j.tokenizer.TokenBuffer;
import io.github.pretrain4j.tokenizer.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * A SentencePiece model whose special tokens are cut out of texts, as Megatron's {@code legacy}
 * option and its SentencePieceTokenizer up to core_r0.14 do: the token that occurs first becomes
 * its id (of two at one place, the one added first), what stands before it is encoded as a text of
 * its own, with its own dummy prefix, and so on. Current Megatron drops a lone {@code ▁} at the
 * start of such a text that follows a special id; not of the last one.
 */
final class SpecialTokenEncoder implements Encoder {
  private static final int NO_SEPARATOR = -1;

  private final Encoder texts;
  private final Map<String, Integer> idOfToken;
  private final Map<Integer, String> tokenOfId;
  private final int separatorId;
  private final TokenBuffer part = new TokenBuffer(64);

  private SpecialTokenEncoder(
      Encoder texts,
      Map<String, Integer> idOfToken,
      Map<Integer, String> tokenOfId,
      int separatorId) {
    this.texts = texts;
    this.idOfToken = idOfToken;
    this.tokenOfId = tokenOfId;
    this.separatorId = separatorId;
  }

  static MegatronTokenizer open(Tokenizer tokenizer, MegatronTokenizerConfig config, Path file) {
    boolean trims = config.legacy();
    Vocabulary vocabulary =
        trims ? Vocabulary.legacy(tokenizer, config) : Vocabulary.core14(tokenizer, config);
    Map<Integer, String> tokenOfId = new HashMap<>();
    vocabulary.special.forEach((token, id) -> tokenOfId.put(id, token));
    int separator = trims ? Vocabulary.pieceToId(tokenizer, "\u2581") : NO_SEPARATOR;
    var encoders = MegatronTokenizer.withBos(tokenizer, config, file);
    return new MegatronTokenizer(
        vocabulary.size,
        vocabulary.eod,
        vocabulary.bos,
        vocabulary.pad,
        () -> new SpecialTokenEncoder(encoders.get(), vocabulary.special, tokenOfId, separator),
        ids -> {
          String text = decode(tokenizer, tokenOfId, ids);
          return trims ? text.strip() : text;
        },
        file.toString());
  }

  @Override
  public int encode(CharSequence text, TokenBuffer out) {
    int before = out.length();
    try {
      encode(text.toString(), before, out);
    } catch (IllegalArgumentException e) {
      out.setLength(before);
      throw e;
    }
    return out.length() - before;
  }

  @Override
  public int encodeUtf8(byte[] utf8, int from, int to, TokenBuffer out) {
    Objects.checkFromToIndex(from, to, utf8.length);
    return encode(new String(utf8, from, to - from, StandardCharsets.UTF_8), out);
  }

  private void encode(String text, int before, TokenBuffer out) {
    NextOccurrences next = new NextOccurrences(text);
    int from = 0;
    for (String token = next.first(from); token != null; token = next.first(from)) {
      int at = next.at(token);
      part.clear();
      texts.encode(text.substring(from, at), part);
      boolean drop =
          part.length() > 0
              && part.get(0) == separatorId
              && out.length() > before
              && tokenOfId.containsKey(out.get(out.length() - 1));
      for (int i = drop ? 1 : 0; i < part.length(); i++) {
        out.add(part.get(i));
      }
      out.add(Objects.requireNonNull(idOfToken.get(token)));
      from = at + token.length();
    }
    texts.encode(text.substring(from), out);
  }

  private static String decode(Tokenizer tokenizer, Map<Integer, String> tokenOfId, int[] ids) {
    StringBuilder text = new StringBuilder();
    int from = 0;
    for (int i = 0; i < ids.length; i++) {
      String token = tokenOfId.get(ids[i]);
      if (token != null) {
        text.append(tokenizer.decode(Arrays.copyOfRange(ids, from, i))).append(' ');
        text.append(token).append(' ');
        from = i + 1;
      }
    }
    return text.append(tokenizer.decode(Arrays.copyOfRange(ids, from, ids.length))).toString();
  }

  /** Where each token occurs next, so that a text of many tokens is searched once for each. */
  private final class NextOccurrences {
    private static final int NOWHERE = Integer.MAX_VALUE;

    private final String text;
    private final Map<String, Integer> positions = new LinkedHashMap<>();

    NextOccurrences(String text) {
      this.text = text;
      idOfToken.keySet().forEach(token -> positions.put(token, -1));
    }

    int at(String token) {
      return positions.getOrDefault(token, NOWHERE);
    }

    /** The token that occurs first from here on, or null. */
    @Nullable String first(int from) {
      String first = null;
      int firstAt = NOWHERE;
      for (Map.Entry<String, Integer> entry : positions.entrySet()) {
        if (entry.getValue() < from) {
          int at = text.indexOf(entry.getKey(), from);
          entry.setValue(at < 0 ? NOWHERE : at);
        }
        if (entry.getValue() < firstAt) {
          first = entry.getKey();
          firstAt = entry.getValue();
        }
      }
      return first;
    }
  }

  /** The ids of special tokens, in the order in which they were added. */
  private static final class Vocabulary {
    final Map<String, Integer> special = new LinkedHashMap<>();
    int size;
    OptionalInt eod = OptionalInt.empty();
    OptionalInt bos = OptionalInt.empty();
    OptionalInt pad = OptionalInt.empty();

    /** Tokens that are no piece get new ids; a token that is the unknown piece counts as none. */
    static Vocabulary legacy(Tokenizer tokenizer, MegatronTokenizerConfig config) {
      Vocabulary vocabulary = new Vocabulary();
      vocabulary.size = tokenizer.vocabularySize();
      vocabulary.eod = tokenizer.eosId();
      vocabulary.bos = tokenizer.bosId();
      vocabulary.pad = tokenizer.padId();
      int unknown = tokenizer.unkId().orElse(-1);
      for (String token : config.specialTokens()) {
        int id = pieceToId(tokenizer, token);
        if (id != unknown) {
          vocabulary.special.put(token, id);
        } else if (!vocabulary.special.containsKey(token)) {
          vocabulary.special.put(token, vocabulary.size++);
        }
      }
      return vocabulary;
    }

    /** The tokens of T5 and BERT, then those of the model, then the extra ids. */
    static Vocabulary core14(Tokenizer tokenizer, MegatronTokenizerConfig config) {
      Map<String, Integer> pieces = new HashMap<>();
      for (int id = 0; id < tokenizer.vocabularySize(); id++) {
        pieces.put(tokenizer.piece(id), id);
      }
      Vocabulary vocabulary = new Vocabulary();
      vocabulary.add("<CLS>", pieces);
      vocabulary.add("<SEP>", pieces);
      vocabulary.eod = OptionalInt.of(vocabulary.add("<EOD>", pieces));
      vocabulary.add("<MASK>", pieces);
      vocabulary.pad = vocabulary.addModels(tokenizer.padId(), "<PAD>", tokenizer, pieces);
      vocabulary.bos = vocabulary.addModels(tokenizer.bosId(), "<BOS>", tokenizer, pieces);
      vocabulary.addModels(tokenizer.eosId(), "<EOS>", tokenizer, pieces);
      for (int i = 0; i < config.extraIds(); i++) {
        vocabulary.add("<extra_id_" + i + ">", pieces);
      }
      vocabulary.size = pieces.size();
      return vocabulary;
    }

    private OptionalInt addModels(
        OptionalInt id, String otherwise, Tokenizer tokenizer, Map<String, Integer> pieces) {
      return OptionalInt.of(
          add(id.isPresent() ? tokenizer.piece(id.getAsInt()) : otherwise, pieces));
    }

    private int add(String token, Map<String, Integer> pieces) {
      int id = pieces.computeIfAbsent(token, absent -> pieces.size());
      special.put(token, id);
      return id;
    }

    /** As the reference program has it: the unknown id for what is no piece. */
    static int pieceToId(Tokenizer tokenizer, String piece) {
      return tokenizer.id(piece).orElse(tokenizer.unkId().orElse(-1));
    }
  }
}
