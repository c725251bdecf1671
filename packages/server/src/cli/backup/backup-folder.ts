import { chmodSync, lstatSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makeStoreFolder, openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import type { ChunkStore } from "@ashlar/sdk/ports";
import { fileError, isThere } from "../../files/file-error.ts";
import { type FileLock, tryLockFile } from "../../files/file-lock.ts";
import { readJsonFile, writePrivateFile } from "../../files/private-file.ts";

/**
 * The folder of backups: `backup.json` says what it is, `chunks/` holds every chunk once, under its digest, as a chunk store does, and `backups/` has
 * one record for each backup. Decision 0056 has the reasons, `docs/operations.md` the format.
 */

const FORMAT = "ashlar-backup";
const FORMAT_VERSION = 1;
const MARKER = "backup.json";
const RECORDS = "backups";
const OWNER_ONLY = 0o700;
const RECORD_NAME = /^\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}\.\d{3}Z$/;
const RECORD_ENDING = ".jsonl";
/** What a new folder may hold already: what a file system puts into its own root. */
const NOBODYS = new Set(["lost+found"]);
/** Parts that must be what they are called, and no links to elsewhere. */
const OWN_PARTS = [MARKER, "backup.lock", "format.json", RECORDS, "chunks", "chunks/tmp", "quarantine"];

/** A folder of backups that this process uses. */
export interface BackupFolder extends AsyncDisposable {
  readonly path: string;
  /** Every chunk once. Chunks that are read are checked block by block, as in any store; the reader checks the digest. */
  readonly chunks: ChunkStore;
  /** Names of the whole backups, oldest first. */
  records(): readonly string[];
  /** File of a backup's record. */
  recordFile(name: string): string;
  /** A file that no backup has yet; what a killed run left under that name is removed. */
  unfinishedFile(label: string): string;
}

/**
 * The records of a folder of backups, also while another process uses it.
 *
 * @throws {AshlarError} as {@link openBackupFolder}.
 */
export function readBackupFolder(given: string): Pick<BackupFolder, "path" | "records" | "recordFile"> {
  if (!isThere(given)) throw noBackups(given);
  const path = realpathSync(given);
  const marker = readMarker(path);
  if (marker === undefined) throw noBackups(given);
  checkMarker(path, marker);
  assertNoLink(join(path, RECORDS));
  return recordsOf(path);
}

function recordsOf(path: string): Pick<BackupFolder, "path" | "records" | "recordFile"> {
  return {
    path,
    records: () => recordsIn(path),
    recordFile: (name) => join(path, RECORDS, `${name}${RECORD_ENDING}`),
  };
}

/**
 * Opens a folder of backups, for this process alone: what one deletes, another may just be about to name.
 *
 * @param options.makes whether a missing or empty folder becomes one; default: it is refused.
 * @throws {AshlarError} INVALID_ARGUMENT if it is no folder of backups, or has a symbolic link where one of its parts belongs; STORE_INCOMPATIBLE if a newer
 *   release wrote it; PRECONDITION_FAILED while another process uses it.
 */
export async function openBackupFolder(
  given: string,
  options: { readonly makes?: boolean } = {},
): Promise<BackupFolder> {
  if (options.makes === true) await makeStoreFolder(given);
  else if (!isThere(given)) throw noBackups(given);
  const path = realpathSync(given);
  const marker = readMarker(path);
  if (marker === undefined) {
    if (options.makes !== true) throw noBackups(given);
    makeMarker(path);
  } else checkMarker(path, marker);
  for (const part of OWN_PARTS) assertNoLink(join(path, part));
  const lock = tryLockFile(join(path, "backup.lock"));
  if (lock === undefined) {
    throw new AshlarError(
      "PRECONDITION_FAILED",
      `another backup, verify, prune or restore uses ${path}: wait for its end`,
      {
        details: { path },
      },
    );
  }
  try {
    return await opened(path, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function opened(path: string, lock: FileLock): Promise<BackupFolder> {
  await makeStoreFolder(join(path, RECORDS));
  const store = await openFsChunkStore({ path, durability: "strict", chunkMaxBytes: LIMITS.CHUNK_MAX_BYTES });
  return {
    ...recordsOf(path),
    chunks: withoutLinks(store, path),
    unfinishedFile(label) {
      const file = join(path, RECORDS, `.${label}.unfinished`);
      rmSync(file, { force: true });
      return file;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      lock.release();
    },
  };
}

/**
 * The name of a backup that begins now: its time in UTC, without the colons that some file systems refuse.
 *
 * @param names of the backups that are there. Where the clock went back, the name is later than they are all the same: the newest is the last by name.
 */
export function recordName(timeMs: number, names: readonly string[]): string {
  const nameOf = (ms: number): string => new Date(ms).toISOString().replaceAll(":", "-");
  const last = names.at(-1) ?? "";
  const timeAt = last.indexOf("T");
  const lastMs = Date.parse(last.slice(0, timeAt) + last.slice(timeAt).replaceAll("-", ":"));
  return nameOf(Number.isNaN(lastMs) ? timeMs : Math.max(timeMs, lastMs + 1));
}

/** Finds a backup by its name, or the newest. @throws {AshlarError} INVALID_ARGUMENT if there is none. */
export function chosenRecord(folder: BackupFolder, wanted: string | undefined): string {
  const names = folder.records();
  const found = wanted === undefined ? names.at(-1) : names.find((name) => name === wanted);
  if (found !== undefined) return found;
  const what = wanted === undefined ? "there is no whole backup" : `there is no backup ${wanted}`;
  throw new AshlarError("INVALID_ARGUMENT", `${what} in ${folder.path}; see them with: ashlar backup list <folder>`, {
    details: { path: folder.path },
  });
}

function recordsIn(path: string): readonly string[] {
  const folder = join(path, RECORDS);
  if (!isThere(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(RECORD_ENDING))
    .map((name) => name.slice(0, -RECORD_ENDING.length))
    .filter((name) => RECORD_NAME.test(name))
    .sort();
}

function readMarker(path: string): Readonly<Record<string, unknown>> | undefined {
  assertNoLink(join(path, MARKER));
  return readJsonFile(join(path, MARKER));
}

function checkMarker(path: string, { format, formatVersion }: Readonly<Record<string, unknown>>): void {
  if (format === FORMAT && formatVersion === FORMAT_VERSION) return;
  throw new AshlarError(
    "STORE_INCOMPATIBLE",
    `${join(path, MARKER)} names a format that this release does not know: use the release that wrote these backups`,
    { details: { path, format: String(format), formatVersion: String(formatVersion) } },
  );
}

function makeMarker(path: string): void {
  const others = readdirSync(path).filter((name) => !NOBODYS.has(name));
  if (others.length > 0) {
    throw new AshlarError(
      "INVALID_ARGUMENT",
      `${path} holds other files, and no backups: give an empty folder, or one that does not exist yet`,
      { details: { path } },
    );
  }
  try {
    chmodSync(path, OWNER_ONLY);
  } catch {
    // A file system without modes, or the folder of another user who lets us write.
  }
  writePrivateFile(join(path, MARKER), `${JSON.stringify({ format: FORMAT, formatVersion: FORMAT_VERSION })}\n`);
}

function noBackups(path: string): AshlarError {
  const message = `there are no backups in ${path}; make one with: ashlar backup <folder>`;
  return new AshlarError("INVALID_ARGUMENT", message, { details: { path } });
}

/** @throws {AshlarError} INVALID_ARGUMENT for a symbolic link: it would lead reads and writes out of the folder. */
export function assertNoLink(path: string): void {
  let isLink: boolean;
  try {
    isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  } catch (error) {
    throw fileError(error, path);
  }
  if (!isLink) return;
  const message = `${path} is a symbolic link, and a backup is read and written only in its own folder: put what it leads to in its place`;
  throw new AshlarError("INVALID_ARGUMENT", message, { details: { path } });
}

/** A chunk store follows a link in place of a folder above its chunks; in a folder that may have come from elsewhere nothing does. */
function withoutLinks(store: ChunkStore, path: string): ChunkStore {
  const known = new Set<string>();
  const check = (folder: string): void => {
    if (known.has(folder)) return;
    assertNoLink(join(path, "chunks", folder));
    known.add(folder);
  };
  const checkId = (chunkId: Uint8Array): void => {
    const id = encodeHex(chunkId);
    check(id.slice(0, 2));
    check(join(id.slice(0, 2), id.slice(2, 4)));
  };
  return {
    capabilities: store.capabilities,
    async putChunk(chunkId, bytes, options) {
      checkId(chunkId);
      return await store.putChunk(chunkId, bytes, options);
    },
    async getChunk(chunkId, options) {
      checkId(chunkId);
      return await store.getChunk(chunkId, options);
    },
    async hasChunks(chunkIds, options) {
      chunkIds.forEach(checkId);
      return await store.hasChunks(chunkIds, options);
    },
    async deleteChunks(chunkIds, options) {
      chunkIds.forEach(checkId);
      return await store.deleteChunks(chunkIds, options);
    },
    async listChunks(options) {
      const page = await store.listChunks(options);
      for (const { chunkId } of page.chunks) checkId(chunkId);
      return page;
    },
    stats: (options) => store.stats(options),
    close: () => store.close(),
  };
}
