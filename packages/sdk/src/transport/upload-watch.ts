import { loadPart } from "../internal/load-part.ts";
import type { BytesProgress } from "../ports/index.ts";

type Fetch = typeof globalThis.fetch;

/** Whether uploads can tell of their progress: only browsers can, and not through a `fetch` of the caller's own. */
export function canWatchUploads(fetch: Fetch | undefined): boolean {
  return fetch === undefined && typeof XMLHttpRequest === "function";
}

/** A `fetch` that tells how much of the body has left. @throws {AshlarError} NODE_UNAVAILABLE if its code cannot be loaded. */
export async function watchingFetch(onProgress: BytesProgress): Promise<Fetch> {
  return (await loadPart(() => import("./xhr-fetch.ts"))).createXhrFetch(onProgress);
}
