import { loadPart } from "../internal/load-part.ts";
import type { BytesProgress } from "../ports/index.ts";

type Fetch = typeof globalThis.fetch;

/** Whether uploads can report progress: only in browsers, and not through the caller's own `fetch`. */
export function canWatchUploads(fetch: Fetch | undefined): boolean {
  return fetch === undefined && typeof XMLHttpRequest === "function";
}

/** A `fetch` that reports how much of the body was sent. @throws {AshlarError} NODE_UNAVAILABLE if its code cannot be loaded. */
export async function watchingFetch(onProgress: BytesProgress): Promise<Fetch> {
  return (await loadPart(() => import("./xhr-fetch.ts"))).createXhrFetch(onProgress);
}
