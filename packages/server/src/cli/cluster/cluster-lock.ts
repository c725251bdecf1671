import { DatabaseSync } from "node:sqlite";
import { AshlarError } from "@ashlar/sdk/errors";
import { fileError } from "../file-error.ts";
import type { ClusterFolder } from "./cluster-folder.ts";
import { readProcesses } from "./process-record.ts";

/** A folder that only this process works in. */
export interface ClusterLock extends Disposable {
  release(): void;
}

/**
 * Takes the folder for this process, or fails at once.
 *
 * SQLite's file lock, which the system takes back when the process ends in whatever way, so no lock is ever stale and none is broken by guessing
 * from process ids. Node itself has no file locks.
 *
 * @throws {AshlarError} PRECONDITION_FAILED naming the process that has it.
 */
export function lockCluster(folder: ClusterFolder): ClusterLock {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(folder.lock);
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    if (!(error instanceof Error && /locked|busy/.test(error.message))) throw fileError(error, folder.lock);
    const pid = readProcesses(folder)?.supervisorPid;
    const who = pid === undefined ? "" : ` (process ${pid})`;
    throw new AshlarError(
      "PRECONDITION_FAILED",
      `a cluster runs in ${folder.path} already${who}; see it with cluster status, stop it with cluster down, or take another --path`,
    );
  }
  let held: DatabaseSync | undefined = database;
  const release = (): void => {
    held?.close();
    held = undefined;
  };
  return { release, [Symbol.dispose]: release };
}
