package io.github.pretrain4j.deploy;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** A release of Hugging Face transformers, ordered by its first three numbers. */
record TransformersVersion(int major, int minor, int patch)
    implements Comparable<TransformersVersion> {
  // 4.39.3, 4.40.0.dev0, 5.0.0rc1
  private static final Pattern FORM =
      Pattern.compile(
          "(\\d{1,6})\\.(\\d{1,6})(?:\\.(\\d{1,6}))?(?:[.+-]?[A-Za-z][A-Za-z0-9.+-]*)?");

  static @Nullable TransformersVersion parse(String text) {
    Matcher matcher = FORM.matcher(text);
    if (!matcher.matches()) {
      return null;
    }
    String patch = matcher.group(3);
    return new TransformersVersion(
        Integer.parseInt(matcher.group(1)),
        Integer.parseInt(matcher.group(2)),
        patch == null ? 0 : Integer.parseInt(patch));
  }

  @Override
  public int compareTo(TransformersVersion other) {
    int byMajor = Integer.compare(major, other.major);
    int byMinor = byMajor != 0 ? byMajor : Integer.compare(minor, other.minor);
    return byMinor != 0 ? byMinor : Integer.compare(patch, other.patch);
  }
}
