@NullMarked
package io.github.pretrain4j.checkpoint;

import org.jspecify.annotations.NullMarked;
