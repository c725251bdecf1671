import { chmodSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { AshlarError } from "@ashlar/sdk/errors";
import { fileError } from "./file-error.ts";

const OWNER_ONLY = 0o600;

/** A file that only this holder has locked. */
export interface FileLock extends Disposable {
  release(): void;
}

/**
 * Locks a file for this process, or fails at once.
 *
 * Uses SQLite's file lock. The system takes it back however the process ends, so no lock is ever stale, and none is broken by guessing from process
 * ids. Node itself has no file locks.
 *
 * @param file made if it is missing; it stays, empty.
 * @returns `undefined` if another process or caller holds it.
 * @throws {AshlarError} INVALID_ARGUMENT if the file cannot be made or locked.
 */
export function tryLockFile(file: string): FileLock | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    closeToOthers(file);
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    const message = error instanceof Error ? error.message : "";
    if (/locked|busy/.test(message)) return undefined;
    const told = fileError(error, file);
    if (told !== error) throw told;
    throw new AshlarError("INVALID_ARGUMENT", `${file} cannot be locked: ${message}`, { cause: error });
  }
  let held: DatabaseSync | undefined = database;
  const release = (): void => {
    held?.close();
    held = undefined;
  };
  return { release, [Symbol.dispose]: release };
}

/** Whoever may read the file could lock it. A file of another user stays as it is. */
function closeToOthers(file: string): void {
  try {
    chmodSync(file, OWNER_ONLY);
  } catch {
    // Then it is locked as it is.
  }
}
