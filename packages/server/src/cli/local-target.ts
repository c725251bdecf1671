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
  /** The file's name is taken from the key, which other people may have chosen: the file must be in the folder itself. */
  readonly isNamedByKey: boolean;
}

/** Longest name that file systems accept, in bytes of UTF-8. */
const NAME_MAX_BYTES = 255;
/** Windows accepts neither these characters nor names of devices, with any extension. */
const WINDOWS_REFUSES = /[<>:"|?*]|[ .]$|^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;
/** Links in these folders refer to open files of a process: they are written through, never replaced. */
const SYSTEM_FOLDERS = /^\/(?:dev|proc)\//;
const PERMISSIONS = 0o777;

/** @param argument file or folder that the user named; absent: the current one. @throws {AshlarError} INVALID_ARGUMENT if the key names no file. */
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
 * The file name for a key: its part after the last slash, on Windows after the last slash or backslash.
 *
 * @throws {AshlarError} INVALID_ARGUMENT if no file can or should have that name: a terminal would obey an escape sequence in it at the next `ls`.
 */
export function fileNameOf(key: string, platform: NodeJS.Platform = process.platform): string {
  const name = key.split(platform === "win32" ? /[/\\]/ : "/").at(-1) ?? "";
  const isUsable =
    !["", ".", ".."].includes(name) &&
    visibleText(name) === name &&
    new TextEncoder().encode(name).byteLength <= NAME_MAX_BYTES &&
    !(platform === "win32" && WINDOWS_REFUSES.test(name));
  if (isUsable) return name;
  throw new AshlarError("INVALID_ARGUMENT", `"${visibleText(name)}" cannot be a file name: name the file to write to`);
}

/**
 * Writes a file completely or not at all: until the last byte is written, it has another name in the same folder. A file that is replaced keeps its
 * permissions. A symbolic link that the user named stays a link, and the file behind it is replaced. A device or a pipe is written directly.
 *
 * @throws {AshlarError} INVALID_ARGUMENT if the target cannot be written, DISK_FULL; what reading the bytes throws.
 */
export async function writeTarget(target: LocalTarget, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const place = await placeOf(target);
  // Short, and not made from the file's name: the longest possible name leaves no room for a suffix.
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
  /** Permissions of the file that is replaced. */
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
    throw new AshlarError("INVALID_ARGUMENT", `${file} is a symbolic link: to write through it, give this path`);
  }
  const stats = await ifThere(stat(file));
  if (stats === undefined) throw new AshlarError("INVALID_ARGUMENT", `${file} is a symbolic link to a missing file`);
  if (isNamedByKey && !stats.isFile()) {
    throw new AshlarError("INVALID_ARGUMENT", `${file} already exists and is not a regular file: name another one`);
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
