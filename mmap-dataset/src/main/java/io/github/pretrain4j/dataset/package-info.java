@NullMarked
package io.github.pretrain4j.dataset;

import org.jspecify.annotations.NullMarked;
