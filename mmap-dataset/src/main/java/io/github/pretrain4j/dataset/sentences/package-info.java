/**
 * Sentence splitting: what {@code preprocess_data.py --split-sentences} does to a text before it is
 * encoded.
 *
 * <p>Start at {@link io.github.pretrain4j.dataset.sentences.SentenceSplitter}; {@link
 * io.github.pretrain4j.dataset.sentences.PunktSentenceSplitter} is NLTK's Punkt, {@link
 * io.github.pretrain4j.dataset.sentences.PunktParameters} what it learned of a language. Knows
 * texts only, no datasets.
 *
 * <h2>NLTK's {@code punkt_tab} data</h2>
 *
 * <p>One folder a language, {@code tokenizers/punkt_tab/LANGUAGE}, of four files in UTF-8. Lines
 * end in LF, and the last may lack it. Words are in lower case and have lost a final full stop;
 * numbers are {@code ##number##}.
 *
 * <pre>
 * abbrev_types.txt    WORD              what a full stop does not end
 * sent_starters.txt   WORD              what often begins a sentence
 * collocations.tab    WORD TAB WORD     what a full stop between does not part
 * ortho_context.tab   WORD TAB NUMBER   the cases it was seen in: 2 upper at the beginning of a
 *                                       sentence, 4 upper inside, 8 upper somewhere, 16, 32, 64
 *                                       lower; added up
 * </pre>
 *
 * <p>The pickles of NLTK before 3.8.2 hold the same; they are programs and are not read.
 */
@NullMarked
package io.github.pretrain4j.dataset.sentences;

import org.jspecify.annotations.NullMarked;
