import { open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { makeStoreFolder } from "@ashlar/adapters/chunk-store/fs";
import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex } from "@ashlar/sdk/hash";
import { type Logger, systemRandom } from "@ashlar/sdk/ports";
import { fileError } from "../../files/file-error.ts";
import type { ClusterKeys } from "../../grants/index.ts";

const FILE_NAME = "cluster.key";
const KEY_BYTES = 32;
const OWNER_ONLY = 0o600;

/** The settings that give a cluster key. */
export interface ClusterKeySources {
  readonly clusterKey: string | undefined;
  readonly clusterKeyFile: string | undefined;
  /** A second key that is accepted too. */
  readonly clusterKeyAccepted: string | undefined;
}

/**
 * Reads the cluster key that a server shares with others.
 *
 * @returns `undefined` if none is given.
 * @throws {AshlarError} INVALID_ARGUMENT if both are given, or the file cannot be read.
 */
export async function readClusterKey(sources: ClusterKeySources, logger: Logger): Promise<ClusterKeys | undefined> {
  const { clusterKey, clusterKeyFile, clusterKeyAccepted } = sources;
  if (clusterKeyFile === undefined) {
    if (clusterKeyAccepted === undefined || clusterKey === undefined) return clusterKey;
    return [clusterKey, clusterKeyAccepted];
  }
  if (clusterKeyAccepted !== undefined) {
    throw new AshlarError("INVALID_ARGUMENT", "with CLUSTER_KEY_FILE, a second key is the second line of that file");
  }
  if (clusterKey !== undefined) {
    throw new AshlarError("INVALID_ARGUMENT", "give CLUSTER_KEY or CLUSTER_KEY_FILE, not both");
  }
  return await readKeyFile(clusterKeyFile, logger);
}

/** Like {@link readClusterKey}, for servers that need a key: the error says how to make one. */
export async function requireClusterKey(
  sources: ClusterKeySources & { readonly insecure: boolean },
  logger: Logger,
): Promise<ClusterKeys | undefined> {
  const key = await readClusterKey(sources, logger);
  if (key !== undefined || sources.insecure) return key;
  throw new AshlarError(
    "INVALID_ARGUMENT",
    "a cluster key is needed: set CLUSTER_KEY or CLUSTER_KEY_FILE, the same on every server (make one: openssl rand -hex 32), or for tests pass --insecure",
  );
}

/**
 * The cluster key that a server keeps in its own folder, readable by its owner only; made at the first start.
 *
 * @throws {AshlarError} INVALID_ARGUMENT if the path is no folder.
 */
export async function keepClusterKey(folder: string, logger: Logger): Promise<ClusterKeys> {
  const file = join(folder, FILE_NAME);
  await makeStoreFolder(folder);
  const key = encodeHex(systemRandom.bytes(KEY_BYTES));
  try {
    const handle = await open(file, "wx", OWNER_ONLY);
    await handle.writeFile(`${key}\n`);
    await handle.sync();
    await handle.close();
    return key;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw fileError(error, file);
    return await readKeyFile(file, logger);
  }
}

/** One key per line: the first signs, a second one is accepted while the key is changed. */
async function readKeyFile(file: string, logger: Logger): Promise<ClusterKeys> {
  try {
    const { mode } = await stat(file);
    if ((mode & 0o077) !== 0) logger.warn({ file }, "other users of this machine can read the cluster key: chmod 600");
    const keys = (await readFile(file, "utf8"))
      .split(/\r?\n/)
      .map((line) => line.trim())
      .filter((key) => key !== "");
    if (keys.length > 0) return keys;
  } catch (error) {
    throw fileError(error, file);
  }
  throw new AshlarError(
    "STORE_INCOMPATIBLE",
    `${file} is empty and is left as it is: put the key back from a backup, or remove the file to have a new one made (what was signed with the old key is then refused)`,
    { details: { path: file } },
  );
}
