// The set-up in Node reads this file too, and resolves no sources of packages.
const MIB = 1024 * 1024;

/** Largest chunk that the servers take. */
export const CHUNK_MAX_BYTES: number = 16 * MIB;
/** How fast the slow ways are, per connection. */
export const SLOW_BYTES_PER_SECOND: number = 10 * MIB;

/** A gateway, and a key that may do everything there. */
export interface ServerAccess {
  readonly url: string;
  readonly apiKey: string;
}

/** What the set-up in Node tells the tests in the browser. */
export interface BrowserTestServers {
  readonly cluster: ServerAccess;
  /** The same cluster, on a slow way. */
  readonly slowGateway: ServerAccess;
  /** Another one, whose only node is on a slow way. */
  readonly slowNode: ServerAccess;
  /** A gateway that lets no page read its answers. */
  readonly closed: ServerAccess;
  /** A port on which nobody listens. */
  readonly nobody: ServerAccess;
}

declare module "vitest" {
  interface ProvidedContext {
    readonly servers: BrowserTestServers;
  }
}
