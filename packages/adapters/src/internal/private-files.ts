import { chmodSync, closeSync, existsSync, linkSync, lstatSync, openSync, rmSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { threadId } from "node:worker_threads";

/**
 * A store belongs to one user of the machine: what it makes is closed to everybody else, whatever the umask. Who shares it lets others reach it
 * through a server, which asks for credentials; files know none.
 */
export const PRIVATE_FOLDER_MODE = 0o700;
/** See {@link PRIVATE_FOLDER_MODE}. */
export const PRIVATE_FILE_MODE = 0o600;

const OTHERS = 0o077;
const OWNERS = 0o700;

/** What stores and servers put at the top of their folder. A folder with anything else in it is more than a store's. */
const STORE_ENTRY =
  /^(?:(?:chunks|quarantine|lost\+found|cluster\.key)$|metadata\.sqlite|(?:format|boot|server|database)[.-])/;

/**
 * Closes a store's folder to others, and what earlier releases made in it with the modes of the umask.
 *
 * The folder itself is left as it is where it holds other things too (an app's own folder, a home): then only the store's part is closed. So is
 * whatever another user owns, and a file system without modes.
 *
 * @param root is there.
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
 * Makes a file that only its owner may use, empty, unless it is there: for libraries that would make it by the umask. Never throws: whoever opens
 * the file next tells what is wrong.
 *
 * It is closed before it gets its name: closing a file takes away the locks that SQLite holds on it anywhere in this process.
 */
export function makePrivateFile(path: string): void {
  if (existsSync(path)) return;
  const fresh = `${path}.${process.pid}-${threadId}.new`;
  try {
    closeSync(openSync(fresh, "w", PRIVATE_FILE_MODE));
    linkSync(fresh, path);
  } catch {
    // Somebody was faster, or the file system knows no links.
  } finally {
    rmSync(fresh, { force: true });
  }
}
