import { readdirSync } from "node:fs";
import { chmod, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { removeLocalPostgres } from "@ashlar/adapters/local-postgres";
import { AshlarError } from "@ashlar/sdk/errors";
import { fileError } from "../files/file-error.ts";
import type { FileLock } from "../files/file-lock.ts";
import { type ClusterFolder, type FolderBefore, holdsCluster } from "./cluster-folder.ts";
import { readPlan } from "./cluster-plan.ts";
import { clusterError } from "./cluster-problem.ts";

/** What `up` makes, by name: nothing else of the folder is ever deleted. The `.new` ones are left by a process that was killed while it wrote. */
const OWN = {
  plan: /^cluster\.json$/,
  lock: /^lock\.sqlite$/,
  other: /^(?:postgres(?:\.new)?|cluster\.key|control\.sock|api-key|processes\.json)$/,
  unfinished: /^(?:cluster\.json|processes\.json|api-key)\.\d+\.new$/,
  log: /^(?:supervisor|postgres|gateway|node-\d+)\.log$/,
  node: /^node-\d+$/,
} as const;
/** What may be there before the plan is written. */
const OWN_EARLY = /^(?:lock\.sqlite|logs|nodes|cluster\.json\.\d+\.new)$/;
const NAMES_SHOWN = 3;

/**
 * Makes sure that the folder may take a cluster: it is absent, empty, a cluster's, or left by an interrupted first start. Writes nothing.
 *
 * @throws {AshlarError} INVALID_ARGUMENT if other things are there; STORE_INCOMPATIBLE for a cluster of a newer release, and a `cluster.json` of
 *   something else.
 */
export function assertTakesCluster(folder: ClusterFolder): void {
  const names = namesIn(folder.path);
  if (names.length === 0 || readPlan(folder) !== undefined || isUnfinished(folder, names)) return;
  const shown = names.slice(0, NAMES_SHOWN).join(", ");
  const more = names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : "";
  throw clusterError("OTHER_FILES", `${folder.path} holds no cluster but other files (${shown}${more})`);
}

function isUnfinished(folder: ClusterFolder, names: readonly string[]): boolean {
  return (
    names.some((name) => OWN.lock.test(name)) &&
    names.every((name) => OWN_EARLY.test(name)) &&
    namesIn(folder.logs).every((name) => OWN.log.test(name)) &&
    namesIn(folder.nodes).length === 0
  );
}

/**
 * Deletes what the cluster made, then the folder if nothing else is in it. The plan goes last, so that an interrupted deletion can be asked for
 * again.
 *
 * @param lock is released.
 * @returns what is not the cluster's and stays, as paths in the folder; nothing if the folder is gone.
 */
export async function removeCluster(folder: ClusterFolder, lock: FileLock): Promise<readonly string[]> {
  await removeContents(folder, lock);
  if (await removeIfEmpty(folder.path)) return [];
  return namesIn(folder.path).flatMap((name) => {
    const inside = name === "logs" || name === "nodes" ? namesIn(join(folder.path, name)) : [];
    return inside.length === 0 ? [name] : inside.map((entry) => join(name, entry));
  });
}

/** Removes what a refused first `up` made, also folders above it. Removes nothing from a folder that had a cluster already. */
export async function undoFirstUp(folder: ClusterFolder, lock: FileLock, before: FolderBefore): Promise<void> {
  if (holdsCluster(folder)) return lock.release();
  await removeContents(folder, lock);
  const { made, mode } = before;
  if (mode !== undefined) await chmod(folder.path, mode);
  if (made === undefined) return;
  for (let path = folder.path; await removeIfEmpty(path); path = dirname(path)) if (path === made) return;
}

async function removeContents(folder: ClusterFolder, lock: FileLock): Promise<void> {
  await removeMatching(folder.logs, OWN.log);
  await removeMatching(folder.nodes, OWN.node);
  await removeIfEmpty(folder.logs);
  await removeIfEmpty(folder.nodes);
  await removeLocalPostgres(folder.postgres);
  await removeMatching(folder.path, OWN.other);
  await removeMatching(folder.path, OWN.unfinished);
  await removeMatching(folder.path, OWN.plan);
  // Windows deletes no file that is open. Elsewhere the lock is kept until its file is gone, so that nobody takes it in between.
  if (process.platform === "win32") lock.release();
  await removeMatching(folder.path, OWN.lock);
  lock.release();
}

async function removeMatching(path: string, own: RegExp): Promise<void> {
  for (const name of namesIn(path)) {
    if (own.test(name)) await rm(join(path, name), { recursive: true, force: true, maxRetries: 3 });
  }
}

async function removeIfEmpty(path: string): Promise<boolean> {
  try {
    await rmdir(path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && STAYS.has(String(error.code))) return false;
    throw fileError(error, path);
  }
}

/** Not empty, as several systems say it; not there; a mount point, or in a folder of another user. */
const STAYS: ReadonlySet<string> = new Set(["ENOTEMPTY", "EEXIST", "ENOTDIR", "ENOENT", "EBUSY", "EPERM", "EACCES"]);

/** @returns nothing for what is not there. */
function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return [];
    if (code === "ENOTDIR") throw new AshlarError("INVALID_ARGUMENT", `${path} is no folder`, { cause: error });
    throw fileError(error, path);
  }
}
