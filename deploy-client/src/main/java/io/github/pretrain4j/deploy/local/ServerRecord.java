package io.github.pretrain4j.deploy.local;

import java.util.List;

/**
 * A server process as the journal remembers it.
 *
 * @param version label of the version it serves
 * @param command how it was started, before our own options
 * @param requestedPort 0: any
 * @param token in its port file's name, hence on its command line, and unique
 * @param pid 0: about to be started
 * @param startMillis when the process started; with {@code pid} it names one process for ever
 * @param port 0: not known yet
 */
record ServerRecord(
    String version,
    List<String> command,
    int requestedPort,
    String token,
    String log,
    String portFile,
    long pid,
    long startMillis,
    int port) {

  ServerRecord {
    command = List.copyOf(command);
  }

  ServerRecord started(long newPid, long newStartMillis) {
    return new ServerRecord(
        version, command, requestedPort, token, log, portFile, newPid, newStartMillis, port);
  }

  ServerRecord listening(int newPort) {
    return new ServerRecord(
        version, command, requestedPort, token, log, portFile, pid, startMillis, newPort);
  }
}
