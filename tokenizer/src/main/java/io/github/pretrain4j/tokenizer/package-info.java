@NullMarked
package io.github.pretrain4j.tokenizer;

import org.jspecify.annotations.NullMarked;
