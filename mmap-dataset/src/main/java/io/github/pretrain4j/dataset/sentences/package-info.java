/**
 * Sentence splitting: what {@code preprocess_data.py --split-sentences} does to a text before it is
 * encoded.
 *
 * <p>Start at {@link io.github.pretrain4j.dataset.sentences.SentenceSplitter}. Knows texts only, no
 * datasets.
 */
@NullMarked
package io.github.pretrain4j.dataset.sentences;

import org.jspecify.annotations.NullMarked;
