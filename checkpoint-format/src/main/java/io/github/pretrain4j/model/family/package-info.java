/**
 * The model families that come with the library, each one class and one line in {@code
 * META-INF/services/io.github.pretrain4j.model.ModelFamily}. Nothing imports this package; {@link
 * io.github.pretrain4j.model.ModelFamilies} finds what is in it.
 */
@NullMarked
package io.github.pretrain4j.model.family;

import org.jspecify.annotations.NullMarked;
