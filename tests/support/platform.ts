import type { ObjectBody } from "@ashlar/sdk";

/** A SHA-256 in progress. */
export interface Sha256 {
  update(bytes: Uint8Array): void;
  /** Ends it: 64 characters of lower-case hex. */
  hex(): string;
}

/** The listeners for the abort of one signal. */
export interface AbortListeners {
  count(): number;
}

/** A kind of body with its name: `a Node Readable`. */
export type PlatformBody = readonly [name: string, make: (slices: AsyncIterable<Uint8Array>) => ObjectBody];
