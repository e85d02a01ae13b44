@NullMarked
package io.github.pretrain4j.train;

import org.jspecify.annotations.NullMarked;
