import { chmodSync, closeSync, existsSync, linkSync, lstatSync, openSync, rmSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { threadId } from "node:worker_threads";

/**
 * A store belongs to one user of the machine: what it makes is closed to all others, whatever the umask is. To share a store, let others reach it
 * through a server, which asks for credentials; files ask for none.
 */
export const PRIVATE_FOLDER_MODE = 0o700;
/** See {@link PRIVATE_FOLDER_MODE}. */
export const PRIVATE_FILE_MODE = 0o600;

const OTHERS = 0o077;
const OWNERS = 0o700;

/** What stores and servers put at the top of their folder. A folder with anything else in it is not only a store's. */
const STORE_ENTRY =
  /^(?:(?:chunks|quarantine|lost\+found|cluster\.key)$|metadata\.sqlite|(?:format|boot|server|database)[.-])/;

/**
 * Closes a store's folder to others, and what earlier releases made in it with the modes of the umask.
 *
 * If the folder holds other things too (an app's own folder, a home), it stays as it is and only the store's parts are closed. What another user owns
 * also stays as it is, and so does everything on a file system without modes.
 *
 * @param root an existing folder.
 * @param parts names in it; absent ones are passed over.
 */
export async function closeToOthers(root: string, parts: readonly string[]): Promise<void> {
  for (const part of parts) closePath(join(root, part));
  const names = await readdir(root).catch(() => undefined);
  if (names?.every((name) => STORE_ENTRY.test(name))) closePath(root);
}

/**
 * Closes one file or folder of ours to others; what is absent, a link, or not ours to change is passed over: nothing that is read or written
 * depends on it.
 */
export function closePath(path: string): void {
  if (process.platform === "win32") return;
  try {
    const stats = lstatSync(path);
    const isOurs = stats.uid === process.getuid?.() && !stats.isSymbolicLink();
    if (isOurs && (stats.mode & OTHERS) !== 0) chmodSync(path, stats.mode & OWNERS);
  } catch {
    // Absent, or on a file system that keeps no modes.
  }
}

/**
 * Makes an empty file that only its owner may use, unless it is there: for libraries that would make it with the mode of the umask. Never throws: the
 * next opening of the file shows what is wrong.
 *
 * The file is closed before it gets its name: closing a file drops the locks that SQLite holds on it anywhere in this process.
 */
export function makePrivateFile(path: string): void {
  if (existsSync(path)) return;
  const fresh = `${path}.${process.pid}-${threadId}.new`;
  try {
    closeSync(openSync(fresh, "w", PRIVATE_FILE_MODE));
    linkSync(fresh, path);
  } catch {
    // Another process was faster, or the file system has no links.
  } finally {
    rmSync(fresh, { force: true });
  }
}
