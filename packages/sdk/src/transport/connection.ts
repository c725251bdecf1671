import { AshlarError, abortError, type ErrorCode, throwIfAborted } from "../errors/index.ts";
import { raceAbort } from "../internal/linked-abort.ts";
import { loadPart } from "../internal/load-part.ts";
import type { Endpoint, WriteOptions } from "../ports/index.ts";

/** Options that decide who is asking (the grant of one call, or the endpoint's own authorization) and for which call. */
export interface AuthorizedCallOptions extends WriteOptions {
  readonly grant?: string | undefined;
}

/** One opened endpoint: who asks, whether it is closed, and how failures look. Every transport's calls go through {@link Connection.run}. */
export interface Connection {
  /**
   * Runs one call, which is given the headers that say who asks and for what trace. Rejects with STORE_CLOSED after `close()`, with the signal's error within 100 ms of an abort, and with whatever
   * `errorFrom` makes of a failure.
   */
  run<T>(
    options: AuthorizedCallOptions | undefined,
    call: (headers: Readonly<Record<string, string>>) => Promise<T>,
  ): Promise<T>;
  close(): Promise<void>;
}

/** How a transport opens a {@link Connection}. */
export interface ConnectionOptions {
  readonly endpoint: Endpoint;
  readonly errorFrom: (error: unknown) => AshlarError;
  /** Releases what the transport opened for this endpoint. */
  readonly release?: (() => void | Promise<void>) | undefined;
}

export function createConnection({ endpoint, errorFrom, release }: ConnectionOptions): Connection {
  let closing: Promise<void> | undefined;
  return {
    async run(options, call) {
      const signal = options?.signal;
      if (closing !== undefined) throw new AshlarError("STORE_CLOSED", "the connection is closed");
      throwIfAborted(signal);
      const work = async (): Promise<Awaited<ReturnType<typeof call>>> => {
        const operationId = options?.operationId;
        const headers = { ...endpoint.headers?.(), ...(operationId && { "idempotency-key": operationId }) };
        const authorization =
          options?.grant === undefined ? await endpoint.authorization?.() : `Bearer ${options.grant}`;
        return await call(authorization === undefined ? headers : { ...headers, authorization });
      };
      try {
        return await raceAbort(work(), signal);
      } catch (error) {
        // Libraries word aborts in their own ways, and none tells a timeout from the caller's wish.
        if (signal?.aborted === true) throw abortError(signal);
        const known = errorFrom(error);
        // Only pages have an origin that a server could refuse.
        if (known.code !== "NODE_UNAVAILABLE" || !("location" in globalThis)) throw known;
        throw await (await loadPart(() => import("./cors-refusal.ts"))).orCorsRefusal(known, endpoint.url);
      }
    },
    close() {
      closing ??= (async (): Promise<void> => await release?.())();
      return closing;
    },
  };
}

/** Turns one error code, the one that means "there is none", into `undefined`; anything else stays an error. */
export async function undefinedIf<T>(code: ErrorCode, call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (AshlarError.is(error, code)) return undefined;
    throw error;
  }
}
