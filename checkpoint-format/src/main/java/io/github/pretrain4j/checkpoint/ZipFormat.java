package io.github.pretrain4j.checkpoint;

/** Numbers of the zip format that reader and writer share. Layout: see the package. */
final class ZipFormat {
  static final int LOCAL_SIGNATURE = 0x0403_4B50;
  static final int DESCRIPTOR_SIGNATURE = 0x0807_4B50;
  static final int CENTRAL_SIGNATURE = 0x0201_4B50;
  static final int ZIP64_END_SIGNATURE = 0x0606_4B50;
  static final int ZIP64_LOCATOR_SIGNATURE = 0x0706_4B50;
  static final int END_SIGNATURE = 0x0605_4B50;

  static final int LOCAL_BYTES = 30;
  static final int CENTRAL_BYTES = 46;
  static final int ZIP64_END_BYTES = 56;
  static final int ZIP64_LOCATOR_BYTES = 20;
  static final int END_BYTES = 22;

  static final int ZIP64_EXTRA = 0x0001;

  /** PyTorch's padding: the letters FB. */
  static final int PADDING_EXTRA = 0x4246;

  static final long MAX_32 = 0xFFFF_FFFFL;
  static final int MAX_16 = 0xFFFF;

  static final int FLAG_ENCRYPTED = 1;
  static final int FLAG_DESCRIPTOR = 1 << 3;
  static final int FLAG_UTF8 = 1 << 11;

  private ZipFormat() {}
}
