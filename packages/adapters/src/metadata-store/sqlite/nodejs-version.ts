import { isBuiltin } from "node:module";
import process from "node:process";
import { AshlarError } from "@ashlar/sdk/errors";

/**
 * Called before a worker thread is started: in the thread, the import would fail like a bug, and look as if a retry could help.
 *
 * @throws {AshlarError} UNSUPPORTED if this Node has no `node:sqlite`.
 */
export function assertNodejsHasSqlite(
  runtime: { readonly hasSqlite: boolean; readonly version: string } = {
    hasSqlite: isBuiltin("node:sqlite"),
    version: process.versions.node,
  },
): void {
  if (runtime.hasSqlite) return;
  const { version } = runtime;
  throw new AshlarError("UNSUPPORTED", `the SQLite store needs Node 22.20 or later, this is ${version}`, {
    details: { nodeVersion: version },
  });
}
