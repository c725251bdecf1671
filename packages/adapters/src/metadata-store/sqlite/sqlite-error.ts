import { AshlarError, type ErrorCode } from "@ashlar/sdk/errors";

// Primary result codes, https://sqlite.org/rescode.html (the low byte of the extended code).
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

/**
 * What to do about a damaged file. SQLite says SQLITE_CORRUPT also where the disk failed to read a page (its own SQLITE_IOERR_CORRUPTFS, which it
 * hides: https://sqlite.org/rescode.html#ioerr_corruptfs), and nothing in the error tells the two apart.
 */
export const DAMAGED_REMEDY =
  "if the system's log tells of a disk that could not be read just now, mend that and open the store again; else restore the file from a backup";

const CODES: ReadonlyMap<number, readonly [ErrorCode, string]> = new Map([
  [SQLITE_BUSY, ["METADATA_UNAVAILABLE", "another process holds the metadata file for too long"]],
  [SQLITE_LOCKED, ["METADATA_UNAVAILABLE", "the metadata file is locked"]],
  [SQLITE_READONLY, ["METADATA_UNAVAILABLE", "the metadata file is read-only"]],
  [SQLITE_IOERR, ["METADATA_UNAVAILABLE", "the metadata file cannot be read or written"]],
  [
    SQLITE_FULL,
    ["DISK_FULL", "the disk of the metadata file is full; nothing is kept: make room on it, then write again"],
  ],
  [SQLITE_CANTOPEN, ["METADATA_UNAVAILABLE", "the metadata file cannot be opened"]],
  [SQLITE_CORRUPT, ["METADATA_CORRUPT", `the metadata file is damaged: ${DAMAGED_REMEDY}`]],
  [SQLITE_NOTADB, ["STORE_INCOMPATIBLE", "the metadata file is not an SQLite database"]],
]);

/** The primary result code of an error of node:sqlite, if it is one. */
export function sqliteResultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}

// Extended codes: the reason in the second byte.
const SQLITE_IOERR_FSYNC = SQLITE_IOERR | (4 << 8);
const SQLITE_IOERR_DIR_FSYNC = SQLITE_IOERR | (5 << 8);

/** Whether the operating system failed to read or write the file. */
export function isIoError(error: unknown): boolean {
  return sqliteResultCode(error) === SQLITE_IOERR;
}

/** Whether a sync of the file, its log or its folder failed. */
export function isFailedSync(error: unknown): boolean {
  if (!(error instanceof Error) || !("errcode" in error)) return false;
  return error.errcode === SQLITE_IOERR_FSYNC || error.errcode === SQLITE_IOERR_DIR_FSYNC;
}

/** Whether SQLite itself found the disk full: the transaction is rolled back, and its last page never reached the log. */
export function isFull(error: unknown): boolean {
  return sqliteResultCode(error) === SQLITE_FULL;
}

/** Whether a retry of the statement may help: somebody else holds the lock. */
export function isBusy(error: unknown): boolean {
  const code = sqliteResultCode(error);
  return code === SQLITE_BUSY || code === SQLITE_LOCKED;
}

/** With less room than this, SQLite's files next to the database may not fit: 32 KiB for the log's index, and some pages. */
const NO_ROOM_BYTES = 64 * 1024;

/**
 * Translates what the driver throws; Ashlar errors pass through.
 *
 * @param freeBytes returns the room on the disk: SQLite reports a full disk as an I/O error if it was making its log's index or a file.
 */
export function fromSqliteError(error: unknown, freeBytes?: () => number | undefined): AshlarError {
  if (AshlarError.is(error)) return error;
  let code = sqliteResultCode(error) ?? -1;
  const mayBeFull = code === SQLITE_IOERR || code === SQLITE_CANTOPEN;
  if (mayBeFull && (freeBytes?.() ?? NO_ROOM_BYTES) < NO_ROOM_BYTES) code = SQLITE_FULL;
  const known = CODES.get(code);
  if (known === undefined) return AshlarError.from(error);
  return new AshlarError(known[0], known[1], { cause: error });
}
