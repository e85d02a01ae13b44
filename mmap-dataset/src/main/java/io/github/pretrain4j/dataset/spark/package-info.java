/**
 * Preprocessing on Apache Spark, for a corpus that outgrows one machine: a thin adapter around the
 * classes of {@code preprocess}, with the same bytes in the end.
 *
 * <p>Start at {@link io.github.pretrain4j.dataset.spark.SparkPreprocessor}. The driver cuts the
 * inputs into ranges of lines; a task makes the datasets of one range, the shards; the driver puts
 * them together in the order of the input.
 *
 * <p>Spark (4.1, Scala 2.13) is not inherited from this module: who has this package has Spark, and
 * nothing else here names it.
 */
@NullMarked
package io.github.pretrain4j.dataset.spark;

import org.jspecify.annotations.NullMarked;
