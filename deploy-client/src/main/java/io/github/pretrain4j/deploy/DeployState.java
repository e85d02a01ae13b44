package io.github.pretrain4j.deploy;

/** How far a deployment has come, in the order a flow passes them; the last two are side exits. */
public enum DeployState {
  PREPARED,
  UPLOADING,
  UPLOADED,
  SET_READY,
  IMPORTING,
  IMPORTED,
  DEPLOYING,
  SERVING,
  VERIFIED,
  FAILED,
  CANCELLED
}
