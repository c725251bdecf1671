import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import { assertServerId } from "../../node/index.ts";
import { readJsonFile, writePrivateFile } from "../cluster/private-file.ts";
import { fileError } from "../file-error.ts";
import { type FileLock, tryLockFile } from "../file-lock.ts";

const FORMAT = "ashlar-node-folder";
const FORMAT_VERSION = 1;
const OWNER_ONLY = 0o700;

/**
 * Takes a data folder for one storage node: two nodes over one folder would count one copy twice.
 *
 * `server.json` says for good whose folder it is; a folder without one, new or of an earlier release, becomes this server's. `server.lock` keeps
 * a second process out for as long as this one runs, and never longer. Stores that are opened without a node do not look at either.
 *
 * @param path made if it is missing.
 * @returns the lock, which the node holds until it has closed its store.
 * @throws {AshlarError} PRECONDITION_FAILED if another process or another server id has it, STORE_INCOMPATIBLE for a `server.json` that is
 *   damaged or newer, INVALID_ARGUMENT for a bad id or a path that cannot be used.
 */
export async function takeNodeFolder(path: string, serverId: string): Promise<FileLock> {
  assertServerId(serverId);
  try {
    await mkdir(path, { recursive: true, mode: OWNER_ONLY });
  } catch (error) {
    throw fileError(error, path);
  }
  const lock = tryLockFile(join(path, "server.lock"));
  const file = join(path, "server.json");
  if (lock === undefined) {
    throw new AshlarError(
      "PRECONDITION_FAILED",
      `a storage node${namedOwner(file)} runs in ${path} already: give each node a folder of its own with DATA_DIR or --data-dir, or stop that one first`,
      { details: { path } },
    );
  }
  try {
    const owner = readOwner(file);
    if (owner === undefined) {
      writePrivateFile(file, `${JSON.stringify({ format: FORMAT, formatVersion: FORMAT_VERSION, serverId })}\n`);
    } else if (owner !== serverId) {
      throw new AshlarError(
        "PRECONDITION_FAILED",
        `${path} is the folder of the storage node ${owner}, not of ${serverId}: give ${serverId} a folder of its own with DATA_DIR or --data-dir, or start the node as ${owner} with SERVER_ID or --server-id`,
        { details: { path, serverId: owner } },
      );
    }
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The id of the server that a folder belongs to; `undefined` if it is nobody's. @throws {AshlarError} STORE_INCOMPATIBLE. */
function readOwner(file: string): string | undefined {
  const marker = readJsonFile(file);
  if (marker === undefined) return undefined;
  const { format, formatVersion, serverId } = marker;
  if (format === FORMAT && formatVersion === FORMAT_VERSION && typeof serverId === "string") return serverId;
  throw new AshlarError(
    "STORE_INCOMPATIBLE",
    `${file} does not say whose folder this is in a form that is known here`,
    {
      details: { path: file, format: String(format), formatVersion: String(formatVersion) },
    },
  );
}

/** For a message only. */
function namedOwner(file: string): string {
  try {
    const owner = readOwner(file);
    return owner === undefined ? "" : ` (${owner})`;
  } catch {
    return "";
  }
}
