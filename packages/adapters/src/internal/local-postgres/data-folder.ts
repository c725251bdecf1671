import { createHash, randomUUID } from "node:crypto";
import { lstatSync, readlinkSync } from "node:fs";
import { rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import type { PostgresUser } from "./postgres-user.ts";
import { canEnter } from "./reachable.ts";
import { openRootFolder } from "./root-folder.ts";

/** Only a folder with such a name is ever deleted outside of the caller's folder. */
const OUTSIDE_NAME = /^postgres-[0-9a-f]{16}-[0-9a-f-]{36}$/;

/** Where PostgreSQL's data lies. */
export interface DataFolder {
  /** The folder itself: the path that was asked for, or, if PostgreSQL's user cannot reach that, a folder outside, which the path then links to. */
  readonly path: string;
  readonly exists: boolean;
  /** Puts finished data there. */
  adopt(fresh: string): Promise<void>;
}

/**
 * @param places where the data goes if the user cannot reach it at `path`.
 * @throws {AshlarError} INVALID_ARGUMENT if the user can reach neither; STORE_INCOMPATIBLE if `path` is a link whose data is gone.
 */
export function openDataFolder(path: string, user: PostgresUser | undefined, places: readonly string[]): DataFolder {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined) {
    const real = found.isSymbolicLink() ? readlinkSync(path) : path;
    if (lstatSync(real, { throwIfNoEntry: false }) === undefined) {
      throw new AshlarError(
        "STORE_INCOMPATIBLE",
        `${path} leads to ${real}, and PostgreSQL's data is not there any more: put it back, or remove ${path} to begin anew`,
      );
    }
    if (user !== undefined && !canEnter(real, user)) throw unreachable(real);
    return { path: real, exists: true, adopt: () => Promise.reject(new Error(`${path} has data`)) };
  }
  if (user === undefined || canEnter(dirname(path), user)) {
    return { path, exists: false, adopt: (fresh) => rename(fresh, path) };
  }
  const outside = placeOutside(path, user, places);
  return {
    path: outside,
    exists: false,
    async adopt(fresh) {
      await rename(fresh, outside);
      await symlink(outside, path);
    },
  };
}

/** Deletes the data, and the link to it if `path` is one. */
export async function removeDataFolder(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) {
    const real = readlinkSync(path);
    if (OUTSIDE_NAME.test(basename(real))) await rm(real, { recursive: true, force: true, maxRetries: 3 });
  }
  await rm(path, { recursive: true, force: true, maxRetries: 3 });
}

function placeOutside(path: string, user: PostgresUser, places: readonly string[]): string {
  try {
    const name = createHash("sha256").update(path).digest("hex").slice(0, 16);
    return join(openRootFolder(places, user), `postgres-${name}-${randomUUID()}`);
  } catch (error) {
    throw unreachable(path, error);
  }
}

function unreachable(path: string, cause?: unknown): AshlarError {
  const nor = cause instanceof Error ? `, and ${cause.message}` : "";
  return new AshlarError(
    "INVALID_ARGUMENT",
    `started by root, PostgreSQL runs as the user "postgres", who may not enter ${path}${nor}; take a folder elsewhere, or set DATABASE_URL`,
    { cause },
  );
}
