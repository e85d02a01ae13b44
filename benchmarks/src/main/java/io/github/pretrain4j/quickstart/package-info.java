/**
 * The five-minute proof: all five steps of a continued pre-training, run as a user would run them.
 *
 * <p>{@code mvn -Pquickstart package} starts {@link io.github.pretrain4j.quickstart.Quickstart}
 * after the distribution is assembled. It calls nothing of the library: every step is a {@code p4j}
 * command line that it prints, so that each can be repeated by hand. What it adds is the corpus
 * ({@link io.github.pretrain4j.quickstart.SourceCorpus}, made from the sources jars that Maven
 * brings), the checks between the steps, and the report page.
 *
 * <pre>
 * guava-sources.jar, hutool-sources.jar
 *   -> corpus/{en,zh}_{train,valid}.jsonl                 SourceCorpus
 *   -> base/tokenizer.model                               p4j tokenizer train   (English)
 *   -> data/{en,zh}_{train,valid}_text_document.bin/.idx  p4j preprocess
 *   -> base-megatron/ -> base/                            p4j train, p4j convert --to huggingface
 *   -> post-start/                                        p4j convert --to megatron (TP 2, PP 2)
 *   -> post/                                              p4j train on Chinese; killed and resumed in post-killed/
 *   -> model/                                             p4j convert --to huggingface
 *   -> store/                                             p4j deploy --target local
 *   -> report.html, report.json
 * </pre>
 */
@NullMarked
package io.github.pretrain4j.quickstart;

import org.jspecify.annotations.NullMarked;
