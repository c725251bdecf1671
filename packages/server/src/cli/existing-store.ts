import { statSync } from "node:fs";
import { join } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";

/**
 * Whether something is there, a file or a folder. What may not be looked at is neither there nor absent: to call it absent would send its owner
 * to make a second one.
 *
 * @throws {AshlarError} INVALID_ARGUMENT if this user may not look, NODE_UNAVAILABLE if the disk cannot.
 */
export function isThere(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return false;
    if (isDenied(error)) throw notYours(error, path);
    const details = { path, errno };
    if (errno === "ELOOP") {
      const message = `${path} is a symbolic link that leads round in a circle, or is below one`;
      throw new AshlarError("INVALID_ARGUMENT", message, { cause: error, details });
    }
    throw new AshlarError("NODE_UNAVAILABLE", `${path} cannot be looked at: ${errno}`, { cause: error, details });
  }
}

const errnoOf = (error: unknown): string => (error instanceof Error && "code" in error ? String(error.code) : "");

/** Whether an error says that this user may not do it. */
export function isDenied(error: unknown): boolean {
  return ["EACCES", "EPERM"].includes(errnoOf(error));
}

/** The error for a store or a cluster of another user. */
export function notYours(cause: unknown, path: string): AshlarError {
  const message = `${path} may not be used by you: run this as its owner, or reach it through a server`;
  return new AshlarError("INVALID_ARGUMENT", message, { cause, details: { path, errno: errnoOf(cause) } });
}

/** Whether a folder holds an embedded store, or a server's metadata. @throws {AshlarError} as {@link isThere}. */
export function holdsStore(path: string): boolean {
  return isThere(join(path, "metadata.sqlite"));
}

/** Only commands that make a bucket, and `serve`, make a store: a path that was mistyped would look like an empty one. @throws {AshlarError} BUCKET_NOT_FOUND; as {@link isThere}. */
export function assertStoreThere(path: string): void {
  if (holdsStore(path)) return;
  throw new AshlarError("BUCKET_NOT_FOUND", `there is no store in ${path}`, { details: { path } });
}
