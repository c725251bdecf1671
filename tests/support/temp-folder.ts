import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder that is deleted at the end of its scope. */
export interface TempFolder extends AsyncDisposable {
  readonly path: string;
  /** A path below it. */
  at(...names: string[]): string;
  /** What the end of the scope does. */
  remove(): Promise<void>;
}

export async function createTempFolder(): Promise<TempFolder> {
  const path = await mkdtemp(join(tmpdir(), "ashlar-test-"));
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 3 });
  return { path, at: (...names) => join(path, ...names), remove, [Symbol.asyncDispose]: remove };
}
