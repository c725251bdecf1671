// The set-up in Node reads this file too, and resolves no package names.
const MIB = 1024 * 1024;

/** Largest chunk that the servers take. */
export const CHUNK_MAX_BYTES: number = 16 * MIB;
/** Speed of the slow network, per connection. */
export const SLOW_BYTES_PER_SECOND: number = 10 * MIB;

/** A gateway, and a key that may do everything there. */
export interface ServerAccess {
  readonly url: string;
  readonly apiKey: string;
}

/** What the set-up in Node tells the tests in the browser. */
export interface BrowserTestServers {
  readonly cluster: ServerAccess;
  /** The same cluster, over a slow network. */
  readonly slowGateway: ServerAccess;
  /** Another cluster, whose only node is reached over a slow network. */
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
