import { AshlarError, abortError, type ErrorCode, throwIfAborted } from "../errors/index.ts";
import { type LinkedAbort, linkAbort, raceAbort } from "../internal/linked-abort.ts";
import { loadPart } from "../internal/load-part.ts";
import { isOtherProtocol } from "../internal/network-error.ts";
import type { Endpoint, WatchedCall, WriteOptions } from "../ports/index.ts";
import type { StallWatchOptions } from "../ports/stall-watch.ts";
import { foreignServer } from "./foreign-server.ts";
import { lazyStallWatch } from "./lazy-stall-watch.ts";

/** Options of one call: its grant, in place of the endpoint's authorization, and its operation id. */
export interface AuthorizedCallOptions extends WriteOptions {
  readonly grant?: string | undefined;
}

/** One opened endpoint: adds headers to calls, refuses them after close, maps errors. Every transport's calls go through {@link Connection.run}. */
export interface Connection {
  /**
   * Runs one call. The call gets the headers (authorization, trace, operation id) and a signal. The signal aborts when the caller aborts, at
   * `close()`, and when the call has failed, so that the rest of its answer is dropped. Rejects with STORE_CLOSED after `close()`, with the
   * signal's error within 100 ms of an abort, with NODE_UNAVAILABLE if the server hangs, and with the result of `errorFrom` for other failures.
   *
   * @param call calls `heard` whenever bytes of the call moved, in either direction.
   */
  run<T>(
    options: AuthorizedCallOptions | undefined,
    call: (headers: Readonly<Record<string, string>>, signal: AbortSignal, heard: () => void) => Promise<T>,
  ): Promise<T>;
  /** Ends all running calls, also those that nobody waits for any more. */
  close(): Promise<void>;
}

/** How a transport opens a {@link Connection}. */
export interface ConnectionOptions {
  readonly endpoint: Endpoint;
  readonly errorFrom: (error: unknown) => AshlarError;
  /** Releases what the transport opened for this endpoint. */
  readonly release?: (() => void | Promise<void>) | undefined;
  /** Makes a small call on a network connection of its own. It resolves with any answer, errors of the server included. Default: see {@link StallWatchOptions}. */
  readonly probe?: StallWatchOptions["probe"];
  /** Drops network connections that are shared by calls, when the server hangs. */
  readonly reset?: (() => void) | undefined;
}

export function createConnection(options: ConnectionOptions): Connection {
  const { endpoint, errorFrom, release } = options;
  const running = new Set<LinkedAbort>();
  const watch = lazyStallWatch({
    peer: `the server at ${endpoint.url}`,
    code: "NODE_UNAVAILABLE",
    details: { url: endpoint.url, ...(endpoint.nodeId && { nodeId: endpoint.nodeId }) },
    ...{ probe: options.probe, onStalled: options.reset },
  });
  let closing: Promise<void> | undefined;
  return {
    async run(options, call) {
      if (closing !== undefined) throw new AshlarError("STORE_CLOSED", "the connection is closed");
      throwIfAborted(options?.signal);
      const link = linkAbort(options?.signal);
      const { signal } = link;
      running.add(link);
      let watched: WatchedCall | undefined;
      const work = async (): Promise<Awaited<ReturnType<typeof call>>> => {
        await watch.ready(signal);
        const operationId = options?.operationId;
        const headers = { ...endpoint.headers?.(), ...(operationId && { "idempotency-key": operationId }) };
        const callWith = async (authorization: string | undefined): Promise<Awaited<ReturnType<typeof call>>> => {
          // Nobody would end the watch of a call that is over already.
          throwIfAborted(signal);
          // Only now does the server owe an answer: the app may take its time for the authorization.
          watched = watch.begin(link.abort);
          return await call(
            authorization === undefined ? headers : { ...headers, authorization },
            signal,
            watched.heard,
          );
        };
        const grant = options?.grant;
        const authorization = grant === undefined ? await endpoint.authorization?.() : `Bearer ${grant}`;
        try {
          return await callWith(authorization);
        } catch (error) {
          if (grant !== undefined || signal.aborted || errorFrom(error).code !== "UNAUTHENTICATED") throw error;
          watched?.end();
          const renewed = await endpoint.authorization?.(authorization);
          if (renewed === authorization) throw error;
          return await callWith(renewed);
        }
      };
      try {
        return await raceAbort(work(), signal);
      } catch (error) {
        // Libraries report aborts in different ways, and none tells a timeout from the caller's abort.
        if (signal.aborted) throw abortError(signal);
        link.abort(error);
        const known = isOtherProtocol(error) ? foreignServer(endpoint.url, error) : errorFrom(error);
        // Only web pages have an origin that a server could refuse.
        if (known.code !== "NODE_UNAVAILABLE" || !("location" in globalThis)) throw known;
        throw await (await loadPart(() => import("./cors-refusal.ts"))).orCorsRefusal(known, endpoint.url);
      } finally {
        watched?.end();
        running.delete(link);
        link.unlink();
      }
    },
    close() {
      closing ??= (async (): Promise<void> => {
        watch.close();
        for (const { abort } of running) abort(new AshlarError("STORE_CLOSED", "the connection is closed"));
        await release?.();
      })();
      return closing;
    },
  };
}

/** Returns `undefined` for the one error code that means "absent"; any other error is thrown. */
export async function undefinedIf<T>(code: ErrorCode, call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (AshlarError.is(error, code)) return undefined;
    throw error;
  }
}
