import { renameSync } from "node:fs";
import { join } from "node:path";
import { makeStoreFolder } from "@ashlar/adapters/chunk-store/fs";
import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex } from "@ashlar/sdk/hash";
import { type Random, systemRandom } from "@ashlar/sdk/ports";
import { type FileLock, tryLockFile } from "../../files/file-lock.ts";
import { readJsonFile, writePrivateFile } from "../../files/private-file.ts";
import { assertNodeId } from "../../node/index.ts";

const FORMAT = "ashlar-node-folder";
const FORMAT_VERSION = 1;
const FOLDER_ID_BYTES = 16;

/** A data folder that this process has taken. */
export interface NodeFolder extends FileLock {
  /** Made with `server.json`. A copy of the folder has the same id; a new disk and the folder of another time have others. */
  readonly folderId: string;
}

/** What `server.json` says. */
interface Owner {
  readonly nodeId: string;
  /** `undefined` in a file of an earlier release. */
  readonly folderId: string | undefined;
}

/**
 * Takes a data folder for one storage node: two nodes over one folder would count one copy twice.
 *
 * `server.json` says permanently whose folder it is. A folder without it, new or of an earlier release, becomes this node's. `server.lock` keeps
 * other processes out as long as this one runs, and no longer. Stores that are opened without a node read neither file.
 *
 * @param path made if it is missing.
 * @returns the id of the folder and the lock, which the node holds until it has closed its store.
 * @throws {AshlarError} PRECONDITION_FAILED if another process or another node id has it, STORE_INCOMPATIBLE for a `server.json` that is
 *   damaged or newer, INVALID_ARGUMENT for a bad id or a path that cannot be used.
 */
export async function takeNodeFolder(
  path: string,
  nodeId: string,
  random: Pick<Random, "bytes"> = systemRandom,
): Promise<NodeFolder> {
  assertNodeId(nodeId);
  await makeStoreFolder(path);
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
    if (owner !== undefined && owner.nodeId !== nodeId) {
      throw new AshlarError(
        "PRECONDITION_FAILED",
        `${path} is the folder of the storage node ${owner.nodeId}, not of ${nodeId}: give ${nodeId} a folder of its own with DATA_DIR or --data-dir, or start the node as ${owner.nodeId} with SERVER_ID or --server-id`,
        { details: { path, nodeId: owner.nodeId } },
      );
    }
    const folderId = owner?.folderId ?? writeOwner(file, nodeId, random);
    return { ...lock, folderId };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * Writes `server.json` again if it is empty or damaged. Keeps the damaged file as `server.json.damaged`.
 *
 * @param nodeId whose folder it is: no other file says so.
 * @returns the name of the file, if it was damaged.
 * @throws {AshlarError} INVALID_ARGUMENT without an id.
 */
export function rebuildNodeFile(folder: string, nodeId: string | undefined): readonly string[] {
  const file = join(folder, "server.json");
  try {
    readOwner(file);
    return [];
  } catch (error) {
    if (!AshlarError.is(error, "STORE_INCOMPATIBLE")) throw error;
  }
  if (nodeId === undefined) {
    throw new AshlarError("INVALID_ARGUMENT", `${file} is damaged: say whose folder it is with --server-id <id>`);
  }
  assertNodeId(nodeId);
  renameSync(file, `${file}.damaged`);
  writeOwner(file, nodeId, systemRandom);
  return ["server.json"];
}

/** @returns the id that the folder has from now on. */
function writeOwner(file: string, nodeId: string, random: Pick<Random, "bytes">): string {
  const folderId = encodeHex(random.bytes(FOLDER_ID_BYTES));
  const marker = { format: FORMAT, formatVersion: FORMAT_VERSION, serverId: nodeId, folderId };
  writePrivateFile(file, `${JSON.stringify(marker)}\n`);
  return folderId;
}

/** The node that a folder belongs to; `undefined` if it belongs to none. @throws {AshlarError} STORE_INCOMPATIBLE. */
function readOwner(file: string): Owner | undefined {
  const marker = readMarker(file);
  if (marker === undefined) return undefined;
  const { format, formatVersion, serverId, folderId } = marker;
  if (format === FORMAT && formatVersion === FORMAT_VERSION && typeof serverId === "string") {
    return { nodeId: serverId, folderId: typeof folderId === "string" ? folderId : undefined };
  }
  throw new AshlarError(
    "STORE_INCOMPATIBLE",
    `${file} does not say whose folder this is in a format that this release knows, and is left as it is; if it is damaged, write it again with: ashlar fsck --rebuild --path <folder> --server-id <id>`,
    {
      details: { path: file, format: String(format), formatVersion: String(formatVersion) },
    },
  );
}

/** An empty or garbled file counts as one that names no format. */
function readMarker(file: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return readJsonFile(file);
  } catch (error) {
    if (AshlarError.is(error, "STORE_INCOMPATIBLE")) return {};
    throw error;
  }
}

/** The owner as text for a message; empty if it cannot be read. */
function namedOwner(file: string): string {
  try {
    const owner = readOwner(file);
    return owner === undefined ? "" : ` (${owner.nodeId})`;
  } catch {
    return "";
  }
}
