@NullMarked
package io.github.pretrain4j.benchmarks;

import org.jspecify.annotations.NullMarked;
