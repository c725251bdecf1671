import { createHash } from "node:crypto";
import { chmod, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { makeStoreFolder } from "@ashlar/adapters/chunk-store/fs";
import { fileError, isThere } from "../files/file-error.ts";

/** Where everything of a local cluster lies. All paths are absolute. */
export interface ClusterFolder {
  readonly path: string;
  /** What a second `up` must know: names, ports, the database. Owner only. */
  readonly plan: string;
  /** Processes that run now, so that they can be found after the supervisor was killed. */
  readonly processes: string;
  readonly lock: string;
  readonly clusterKey: string;
  /** The first API key, an admin key. Owner only. */
  readonly apiKey: string;
  readonly logs: string;
  /** The folders of the storage nodes. */
  readonly nodes: string;
  /** Data of the database. */
  readonly postgres: string;
  /** Where the supervisor listens: a Unix socket, on Windows a pipe. */
  readonly control: string;
  log(name: string): string;
  /** Data of one storage node. */
  data(name: string): string;
}

/** Longest path of a Unix socket on every system that has them, less a margin. */
const SOCKET_PATH_MAX_BYTES = 100;
/** Under root the database runs as another user, who must reach its data, but not see what else is there. */
const PASS_ONLY = 0o711;
const OWNER_ONLY = 0o700;
const PERMISSIONS = 0o7777;

/** @param path as the user gave it. Touches nothing. */
export function clusterFolder(path: string): ClusterFolder {
  const root = resolve(path);
  const logs = join(root, "logs");
  const nodes = join(root, "nodes");
  return Object.freeze({
    path: root,
    plan: join(root, "cluster.json"),
    processes: join(root, "processes.json"),
    lock: join(root, "lock.sqlite"),
    clusterKey: join(root, "cluster.key"),
    apiKey: join(root, "api-key"),
    logs,
    nodes,
    postgres: join(root, "postgres"),
    control: controlAddress(root),
    log: (name: string) => join(logs, `${name}.log`),
    data: (name: string) => join(nodes, name),
  });
}

/** Whether a cluster was ever started there. @throws {AshlarError} if this user may not look. */
export function holdsCluster(folder: ClusterFolder): boolean {
  return isThere(folder.plan);
}

/** What was there before a folder was made. */
export interface FolderBefore {
  /** The outermost folder that had to be made; `undefined` if all were there. */
  readonly made: string | undefined;
  /** Its permissions, if it was there. */
  readonly mode: number | undefined;
}

/** Makes the folder, closed to others. @throws {AshlarError} INVALID_ARGUMENT if it cannot be made. */
export async function makeClusterFolder(folder: ClusterFolder): Promise<FolderBefore> {
  try {
    const own = process.getuid?.() === 0 ? PASS_ONLY : OWNER_ONLY;
    const made = await makeStoreFolder(folder.path, own);
    const mode = made === undefined ? (await stat(folder.path)).mode & PERMISSIONS : undefined;
    await chmod(folder.path, own);
    for (const inner of [folder.logs, folder.nodes]) {
      await makeStoreFolder(inner);
      await chmod(inner, OWNER_ONLY);
    }
    return { made, mode };
  } catch (error) {
    throw fileError(error, folder.path);
  }
}

function controlAddress(root: string): string {
  const name = createHash("sha256").update(root).digest("hex").slice(0, 24);
  if (process.platform === "win32") return `\\\\.\\pipe\\ashlar-${name}`;
  const socket = join(root, "control.sock");
  return new TextEncoder().encode(socket).byteLength <= SOCKET_PATH_MAX_BYTES
    ? socket
    : join(tmpdir(), `ashlar-${name}.sock`);
}
