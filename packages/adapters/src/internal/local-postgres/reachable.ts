/**
 * Finds out what another user may do by doing it as that user: permission bits alone do not show access lists, mount options and security modules.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { postgresEnvironment } from "./postgres-environment.ts";
import type { PostgresUser } from "./postgres-user.ts";

/** Read by initdb and by each server that starts; if these may be read, so may all other files of the package. */
const READ_FIRST = [
  "share/postgresql/postgres.bki",
  "share/postgresql/timezonesets/Default",
  "share/postgresql/extension/plpgsql.control",
] as const;

/** Whether the user may enter the folder; if it does not exist, the nearest folder above it that does. */
export function canEnter(folder: string, user: PostgresUser): boolean {
  const path = resolve(folder);
  if (!existsSync(path)) return canEnter(dirname(path), user);
  return shell('cd "$1"', [path], user);
}

/** Whether the user may run the programs of an installation and read what belongs to them. */
export function canRunPrograms(root: string, user: PostgresUser): boolean {
  const readable = shell(
    'for f in "$@"; do [ -r "$f" ] || exit 1; done',
    READ_FIRST.map((file) => join(root, file)),
    user,
  );
  return readable && ["postgres", "initdb"].every((name) => tryProgram(join(root, "bin", name), user) === undefined);
}

/** Starts a program for its version. @returns what went wrong, `undefined` if nothing did. */
export function tryProgram(file: string, user: PostgresUser | undefined): string | undefined {
  const tried = spawnSync(file, ["--version"], { ...user, ...postgresEnvironment(), encoding: "utf8" });
  if (tried.error !== undefined) return tried.error.message;
  return tried.status === 0 ? undefined : tried.stderr.trim();
}

function shell(script: string, args: readonly string[], user: PostgresUser): boolean {
  const options = { ...user, ...postgresEnvironment(), stdio: "ignore" } as const;
  return spawnSync("/bin/sh", ["-c", script, "sh", ...args], options).status === 0;
}
