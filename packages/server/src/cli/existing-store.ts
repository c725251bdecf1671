import { existsSync } from "node:fs";
import { join } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";

/** Whether a folder holds an embedded store, or a server's metadata. */
export function holdsStore(path: string): boolean {
  return existsSync(join(path, "metadata.sqlite"));
}

/** Only commands that make a bucket, and `serve`, make a store: a path that was mistyped would look like an empty one. @throws {AshlarError} BUCKET_NOT_FOUND. */
export function assertStoreThere(path: string): void {
  if (holdsStore(path)) return;
  throw new AshlarError("BUCKET_NOT_FOUND", `there is no store in ${path}`, { details: { path } });
}
