import { createHash, randomUUID } from "node:crypto";
import { constants, lstatSync } from "node:fs";
import { chmod, copyFile, mkdir, readdir, readFile, readlink, rename, rm, stat, symlink } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import type { PostgresUser } from "./postgres-user.ts";
import { canRunPrograms, tryProgram } from "./reachable.ts";
import { openRootFolder, PROGRAM_PLACES, problemOf } from "./root-folder.ts";

const FOLDER_MODE = 0o755;
const FILE_MODE = 0o644;
const PROGRAM_MODE = 0o755;
const RUN_BY_ANYBODY = 0o111;
/** A copy takes a second; an unfinished one that is older was left by a process that was killed. */
const ABANDONED_MS = 60 * 60 * 1000;
/** Only compilers need these. */
const LEFT_OUT = /\.(?:a|pc)$/;
const UNFINISHED = ".new-";

/**
 * An installation of PostgreSQL that the user can run: the given one, or a copy of it if the user cannot reach the given one. The copy is named after
 * its contents, appears in one step, is kept for the next time, and belongs to root alone.
 *
 * @param root folder with `bin`, `lib` and `share`.
 * @throws {AshlarError} UNSUPPORTED if no copy can be made, or the copy does not run.
 */
export async function reachablePrograms(root: string, user: PostgresUser, places = PROGRAM_PLACES): Promise<string> {
  if (canRunPrograms(root, user)) return root;
  const advice =
    "run this as another user or in a folder that everybody may enter, or set DATABASE_URL to a PostgreSQL that runs";
  let copy: string;
  try {
    copy = await copyPrograms(root, openRootFolder(places, user));
  } catch (error) {
    const why = error instanceof Error ? error.message : "";
    throw new AshlarError(
      "UNSUPPORTED",
      `PostgreSQL runs as the user "postgres", who cannot reach its programs in ${root}, and they cannot be copied: ${why}; ${advice}`,
      { cause: error },
    );
  }
  if (canRunPrograms(copy, user)) return copy;
  const why = tryProgram(join(copy, "bin", "postgres"), user) ?? "its files cannot be read";
  throw new AshlarError(
    "UNSUPPORTED",
    `the user "postgres" cannot run PostgreSQL, neither in ${root} nor in ${copy}: ${why}; ${advice}`,
  );
}

async function copyPrograms(root: string, place: string): Promise<string> {
  const entries = await entriesOf(root);
  const copy = join(place, `postgresql-${(await digestOf(root, entries)).slice(0, 16)}`);
  await removeAbandoned(place);
  if (!isThere(copy)) {
    const fresh = join(place, `${UNFINISHED}${randomUUID()}`);
    try {
      await copyEntries(entries, { root, fresh });
      await rename(fresh, copy);
    } catch (error) {
      await rm(fresh, { recursive: true, force: true });
      // Another process was faster.
      if (!isThere(copy)) throw error;
    }
  }
  const problem = problemOf(copy);
  if (problem !== undefined) throw new AshlarError("INVALID_ARGUMENT", `${copy} ${problem}`);
  return copy;
}

interface Entry {
  /** Below the root. */
  readonly path: string;
  readonly kind: "folder" | "file" | "link";
}

async function entriesOf(root: string, below = ""): Promise<readonly Entry[]> {
  const found = await readdir(join(root, below), { withFileTypes: true });
  const nested = await Promise.all(
    found
      .toSorted((one, two) => (one.name < two.name ? -1 : 1))
      .map(async (entry): Promise<readonly Entry[]> => {
        const path = join(below, entry.name);
        if (entry.isDirectory()) return [{ path, kind: "folder" }, ...(await entriesOf(root, path))];
        if (LEFT_OUT.test(entry.name)) return [];
        return [{ path, kind: entry.isSymbolicLink() ? "link" : "file" }];
      }),
  );
  return nested.flat();
}

async function digestOf(root: string, entries: readonly Entry[]): Promise<string> {
  const hash = createHash("sha256");
  for (const { path, kind } of entries) {
    hash.update(`${kind} ${path}\0`);
    if (kind === "file") hash.update(await readFile(join(root, path)));
    if (kind === "link") hash.update(await readlink(join(root, path)));
  }
  return hash.digest("hex");
}

async function copyEntries(
  entries: readonly Entry[],
  { root, fresh }: Readonly<Record<"root" | "fresh", string>>,
): Promise<void> {
  await makeFolder(fresh);
  for (const { path, kind } of entries) {
    const [from, to] = [join(root, path), join(fresh, path)];
    if (kind === "folder") await makeFolder(to);
    else if (kind === "link") await copyLink(from, to);
    else {
      await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      const isProgram = ((await stat(from)).mode & RUN_BY_ANYBODY) !== 0;
      await chmod(to, isProgram ? PROGRAM_MODE : FILE_MODE);
    }
  }
}

/** With its mode, whatever the umask is. */
async function makeFolder(path: string): Promise<void> {
  await mkdir(path);
  await chmod(path, FOLDER_MODE);
}

/** The package's own links stay in their folder. */
async function copyLink(from: string, to: string): Promise<void> {
  const target = await readlink(from);
  if (isAbsolute(target) || target.split(/[\\/]/).includes(".."))
    throw new Error(`${from} points elsewhere: ${target}`);
  await symlink(target, to);
}

async function removeAbandoned(place: string): Promise<void> {
  for (const name of await readdir(place)) {
    if (!name.startsWith(UNFINISHED)) continue;
    const path = join(place, name);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined || Date.now() - found.mtimeMs < ABANDONED_MS) continue;
    await rm(path, { recursive: true, force: true });
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
