package io.github.pretrain4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ProgressLineTest {

  @Test
  void showsTimeAsPeopleReadIt() {
    assertEquals("0:00", ProgressLine.clock(0));
    assertEquals("1:05", ProgressLine.clock(65));
    assertEquals("2:00:09", ProgressLine.clock(7209));
  }
}
