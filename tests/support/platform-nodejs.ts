/**
 * What the conformance cases need from their platform, in Node. `#platform` of tests/package.json picks this file or platform-browser.ts; both have
 * the same exports.
 */
import { createHash } from "node:crypto";
import { getEventListeners } from "node:events";
import { Readable } from "node:stream";
import type { AbortListeners, PlatformBody, Sha256 } from "./platform.ts";

/** A SHA-256 that is not the SDK's. */
export function createSha256(): Sha256 {
  const hash = createHash("sha256");
  return {
    update: (bytes) => void hash.update(bytes),
    hex: () => hash.digest("hex"),
  };
}

/** Counts the listeners for an abort. */
export function watchAbortListeners(signal: AbortSignal): AbortListeners {
  return { count: () => getEventListeners(signal, "abort").length };
}

/** Resolves in a later turn of the event loop, as soon as there is one. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Kinds of bodies that only this platform has. */
export const PLATFORM_BODIES: readonly PlatformBody[] = [["a Node Readable", (slices) => Readable.from(slices)]];

/** Distinguishes runs that share a store. */
export const RUN_ID: string = String(process.pid);
