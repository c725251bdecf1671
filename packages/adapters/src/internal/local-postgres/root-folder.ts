/**
 * Folders of root that everybody may enter and only root may write to. Programs there are run and data there is trusted, so nothing is used that
 * another user could have put there: neither the folder nor any folder above it.
 */
import { chmodSync, lstatSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import type { PostgresUser } from "./postgres-user.ts";
import { canEnter } from "./reachable.ts";

const ROOT = 0;
const OPEN_TO_ALL = 0o755;
const WRITTEN_BY_OTHERS = 0o022;
const STICKY = 0o1000;

/** Where copies of programs go: they can be made again. Temporary folders come last: they are often mounted without the right to run programs. */
export const PROGRAM_PLACES: readonly string[] = ["/var/cache/ashlar", join(tmpdir(), "ashlar"), "/tmp/ashlar"];
/** Where data goes that must survive a restart of the machine. */
export const DATA_PLACES: readonly string[] = ["/var/lib/ashlar"];
/** Where temporary data goes. */
export const TEMPORARY_PLACES: readonly string[] = [join(tmpdir(), "ashlar"), "/tmp/ashlar", "/var/lib/ashlar"];

/**
 * Returns the first of the places that is a folder of root that the user may enter. Makes a place that is missing.
 *
 * @throws {AshlarError} INVALID_ARGUMENT with each place and what is wrong with it.
 */
export function openRootFolder(places: readonly string[], user: PostgresUser): string {
  const wrong: string[] = [];
  for (const place of new Set(places)) {
    const problem = makeRootFolder(place) ?? (canEnter(place, user) ? undefined : "cannot be entered by it");
    if (problem === undefined) return place;
    wrong.push(`${place} ${problem}`);
  }
  throw new AshlarError(
    "INVALID_ARGUMENT",
    `there is no place that the user "postgres" can reach: ${wrong.join(", ")}`,
  );
}

/** @returns what is wrong with it; `undefined` if nothing is. */
function makeRootFolder(path: string): string | undefined {
  try {
    mkdirSync(path);
    // Whatever the umask is.
    chmodSync(path, OPEN_TO_ALL);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code !== "EEXIST") return `cannot be made (${code})`;
  }
  return problemOf(path);
}

/** Whether a path is root's alone, all the way up. @returns what is wrong; `undefined` if nothing is. */
export function problemOf(path: string): string | undefined {
  const { uid, mode } = lstatSync(path);
  if (lstatSync(path).isSymbolicLink() || uid !== ROOT || (mode & WRITTEN_BY_OTHERS) !== 0)
    return "belongs to somebody else, too";
  for (let above = dirname(path); ; above = dirname(above)) {
    const found = lstatSync(above);
    const isOpen = (found.mode & WRITTEN_BY_OTHERS) !== 0 && (found.mode & STICKY) === 0;
    if (found.uid !== ROOT || isOpen) return `lies below ${above}, which others may change`;
    if (above === dirname(above)) return undefined;
  }
}
