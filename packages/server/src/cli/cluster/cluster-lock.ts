import { AshlarError } from "@ashlar/sdk/errors";
import { type FileLock, tryLockFile } from "../file-lock.ts";
import type { ClusterFolder } from "./cluster-folder.ts";
import { pathFlag } from "./path-flag.ts";
import { readProcesses } from "./process-record.ts";

/**
 * Takes the folder for this process, or fails at once.
 *
 * @param program how it is called, for the commands in the message.
 * @throws {AshlarError} PRECONDITION_FAILED naming the process that has it.
 */
export function lockCluster(folder: ClusterFolder, program: string = "ashlar"): FileLock {
  const lock = tryLockFile(folder.lock);
  if (lock !== undefined) return lock;
  const pid = readProcesses(folder)?.supervisorPid;
  const who = pid === undefined ? "" : ` (process ${pid})`;
  const flag = pathFlag(folder.path);
  throw new AshlarError(
    "PRECONDITION_FAILED",
    `a cluster runs in ${folder.path} already${who}; see it with ${program} cluster status${flag}, stop it with ${program} cluster down${flag}, or take another --path`,
  );
}
