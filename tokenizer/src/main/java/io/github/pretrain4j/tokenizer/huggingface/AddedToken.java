package io.github.pretrain4j.tokenizer.huggingface;

/**
 * An entry of {@code added_tokens}.
 *
 * @param id its id
 * @param content its text, not empty
 * @param singleWord matches only where no word character touches it
 * @param lstrip takes the white space before it
 * @param rstrip takes the white space after it
 * @param normalized is searched for in the normalised text
 * @param special is a marker, no text
 */
record AddedToken(
    int id,
    String content,
    boolean singleWord,
    boolean lstrip,
    boolean rstrip,
    boolean normalized,
    boolean special) {}
