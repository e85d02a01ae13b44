package io.github.pretrain4j.deploy.local;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.pretrain4j.deploy.Availability;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ServerCommandTest {

  @Test
  void splitsAsAShellDoes() {
    assertEquals(
        List.of("a b", "c", "d\"e", "", "f\\g"),
        CommandWords.split(" 'a b'  c d\\\"e \"\" 'f\\g' "));
    assertThrows(IllegalArgumentException.class, () -> CommandWords.split("a 'b"));
  }

  @Test
  void joinsWhatItSplits() {
    List<String> words = List.of("it's", "a b", "", "\\", "\"", "中");
    assertEquals(words, CommandWords.split(CommandWords.join(words)));
  }

  @Test
  void findsTheLauncherOfTheDistribution(@TempDir Path home) throws Exception {
    Path launcher = Files.createDirectories(home.resolve("bin")).resolve("p4j");
    Files.createFile(launcher);
    assertInstanceOf(
        Availability.Unavailable.class,
        ServerCommand.of(Map.of(), null, home.toString()).availability());
    assertTrue(launcher.toFile().setExecutable(true));
    List<String> words = List.of(launcher.toString(), "serve");
    assertEquals(words, ServerCommand.of(Map.of(), null, home.toString()).words());
    assertEquals(words, ServerCommand.of(Map.of(), home.toString(), "/elsewhere").words());
    assertEquals(
        List.of("x", "y"),
        ServerCommand.of(Map.of("server-command", "x y"), home.toString(), null).words());
  }

  @Test
  void saysWhatWouldHelpWhenThereIsNone() {
    Availability none = ServerCommand.of(Map.of(), null, null).availability();
    assertTrue(none.toString().contains("P4J_HOME"), none::toString);
  }
}
