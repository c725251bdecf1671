import { lstat, open, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex } from "@ashlar/sdk/hash";
import { systemRandom } from "@ashlar/sdk/ports";
import { visibleText } from "../observability/control-characters.ts";

/** Where on this machine an object's bytes go. */
export interface LocalTarget {
  /** `-` for standard output. */
  readonly file: string;
  /** The file's name is taken from the key, which others may have chosen: it leads nowhere but into the folder. */
  readonly isNamedByKey: boolean;
}

/** What file systems take, in bytes of UTF-8. */
const NAME_MAX_BYTES = 255;
/** Windows takes neither these nor names of devices, whatever their extension. */
const WINDOWS_REFUSES = /[<>:"|?*]|[ .]$|^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;
/** Links in there stand for what a process has open: they are written through, never replaced. */
const SYSTEM_FOLDERS = /^\/(?:dev|proc)\//;
const PERMISSIONS = 0o777;

/** @param argument file or folder as the user named it; absent: this folder. @throws {AshlarError} INVALID_ARGUMENT if the key names no file. */
export async function localTarget(argument: string | undefined, key: string): Promise<LocalTarget> {
  if (argument === "-") return { file: "-", isNamedByKey: false };
  const folder = argument === undefined ? "." : await folderOf(argument);
  if (folder === undefined) return { file: argument ?? "", isNamedByKey: false };
  return { file: join(folder, fileNameOf(key)), isNamedByKey: true };
}

async function folderOf(path: string): Promise<string | undefined> {
  const isFolder = path.endsWith("/") || (await stat(path).catch(() => undefined))?.isDirectory() === true;
  return isFolder ? path : undefined;
}

/**
 * The file that a key stands for: its part behind the last slash, on Windows behind the last backslash too.
 *
 * @throws {AshlarError} INVALID_ARGUMENT if no file can be called so, or none should: an escape sequence in a name waits for the next `ls`.
 */
export function fileNameOf(key: string, platform: NodeJS.Platform = process.platform): string {
  const name = key.split(platform === "win32" ? /[/\\]/ : "/").at(-1) ?? "";
  const isUsable =
    !["", ".", ".."].includes(name) &&
    visibleText(name) === name &&
    new TextEncoder().encode(name).byteLength <= NAME_MAX_BYTES &&
    !(platform === "win32" && WINDOWS_REFUSES.test(name));
  if (isUsable) return name;
  throw new AshlarError("INVALID_ARGUMENT", `no file should be called "${visibleText(name)}": say where to write to`);
}

/**
 * Writes a file whole or not at all: under another name in the same folder until the last byte is there. A file that is replaced keeps its
 * permissions; a symbolic link that the user named stays one, and what it leads to is replaced. A device or a pipe is written as it is.
 *
 * @throws {AshlarError} INVALID_ARGUMENT if the target cannot be written, DISK_FULL; what reading the bytes throws.
 */
export async function writeTarget(target: LocalTarget, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const place = await placeOf(target);
  // Short and of one length: a name as long as file systems take has no room for more.
  const name = `.ashlar-${process.pid}-${encodeHex(systemRandom.bytes(6))}.tmp`;
  const written = place.isSpecial ? place.path : join(dirname(place.path), name);
  const handle = await open(written, place.isSpecial ? "w" : "wx", place.mode);
  try {
    if (place.mode !== undefined) await handle.chmod(place.mode);
    for await (const slice of bytes) await handle.writeFile(slice);
    await handle.close();
    if (!place.isSpecial) await rename(written, place.path);
  } catch (error) {
    await handle.close().catch(() => {});
    if (!place.isSpecial) await rm(written, { force: true });
    throw error;
  }
}

interface Place {
  readonly path: string;
  /** It is opened and written, not replaced. */
  readonly isSpecial: boolean;
  /** Of the file that is replaced. */
  readonly mode?: number;
}

async function placeOf({ file, isNamedByKey }: LocalTarget): Promise<Place> {
  const entry = await ifThere(lstat(file));
  if (entry === undefined) {
    const folder = dirname(file);
    if ((await ifThere(stat(folder))) === undefined)
      throw new AshlarError("INVALID_ARGUMENT", `there is no folder ${folder}: make it first`);
    return { path: file, isSpecial: false };
  }
  if (isNamedByKey && entry.isSymbolicLink()) {
    throw new AshlarError("INVALID_ARGUMENT", `${file} is a symbolic link: to write to what it leads to, name it`);
  }
  const stats = await ifThere(stat(file));
  if (stats === undefined) throw new AshlarError("INVALID_ARGUMENT", `${file} is a symbolic link to what is not there`);
  if (isNamedByKey && !stats.isFile()) {
    throw new AshlarError("INVALID_ARGUMENT", `${file} is there already, and no plain file: say where to write to`);
  }
  if (!stats.isFile() || SYSTEM_FOLDERS.test(resolve(file))) return { path: file, isSpecial: true };
  const path = entry.isSymbolicLink() ? await realpath(file) : file;
  return { path, isSpecial: false, mode: stats.mode & PERMISSIONS };
}

async function ifThere<Stats>(look: Promise<Stats>): Promise<Stats | undefined> {
  try {
    return await look;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
