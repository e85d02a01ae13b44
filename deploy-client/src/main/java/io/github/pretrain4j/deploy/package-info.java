@NullMarked
package io.github.pretrain4j.deploy;

import org.jspecify.annotations.NullMarked;
