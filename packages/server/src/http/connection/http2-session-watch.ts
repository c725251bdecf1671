import { constants, type ServerHttp2Session } from "node:http2";
import { HTTP_LIMITS } from "../bounds/http-limits.ts";
import type { ServedExchange } from "../exchange/served-exchange.ts";
import type { Connection } from "./connection.ts";

/** Ends a session whose peer makes no progress. */
export interface SessionWatch {
  /** The headers of this stream were complete. */
  sawStream(streamId: number): void;
  sawExchange(exchange: ServedExchange): void;
  check(nowMs: number): void;
}

interface WatchOptions {
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly nowMs: () => number;
}

/**
 * Watches for what Node has no event.
 *
 * - No byte for `idleTimeoutMs`: the session ends, whatever is open on it. `close()` alone would wait for open streams, and Node's timer fires once.
 * - No request for `idleTimeoutMs`, whatever bytes trickle meanwhile (PINGs, half frames): the same.
 * - No SETTINGS, or a header block that is not complete, for `headersTimeoutMs`. nghttp2 counts a stream when its header block begins, and Node
 *   announces it when the block ends. Inside a block no other frame may come, so an answered PING proves that none is open.
 * - While calls stay open, a PING asks whether their client still lives, so that honest watchers may be silent.
 * - More PING and SETTINGS frames than anybody needs.
 */
export function createSessionWatch(
  session: ServerHttp2Session,
  connection: Connection,
  { headersTimeoutMs, idleTimeoutMs, nowMs }: WatchOptions,
): SessionWatch {
  const acceptedMs = nowMs();
  const exchanges = new Set<ServedExchange>();
  let hasSettings = false;
  let lastStreamId = 0;
  let blockSinceMs: number | undefined;
  let ping: { readonly sentMs: number; readonly bytesRead: number } | undefined;
  let aliveMs = acceptedMs;
  const frames = controlFrameBudget(session);
  const end = (): void => {
    session.close();
    // An idle peer is told to go away; what is still open on it had its time.
    setTimeout(() => session.destroy(), HTTP_LIMITS.LINGER_MS.value).unref();
  };
  const ask = (atMs: number, streamId: number): void => {
    if (ping !== undefined) return;
    ping = { sentMs: atMs, bytesRead: connection.socket.bytesRead };
    session.ping((error) => {
      ping = undefined;
      if (error !== null) return;
      aliveMs = nowMs();
      lastStreamId = Math.max(lastStreamId, streamId);
      session.setTimeout(idleTimeoutMs);
    });
  };
  session.setTimeout(idleTimeoutMs, end);
  session.on("remoteSettings", () => {
    hasSettings = true;
  });
  return {
    sawStream(streamId) {
      lastStreamId = Math.max(lastStreamId, streamId);
    },
    sawExchange(exchange) {
      exchanges.add(exchange);
      void exchange.ended.then(() => exchanges.delete(exchange));
    },
    check(atMs) {
      frames.refill();
      if (session.destroyed || session.closed) return;
      if (!hasSettings && atMs - acceptedMs >= headersTimeoutMs) return session.destroy();
      if (connection.requestCount === 0 && atMs - connection.quietSinceMs >= idleTimeoutMs) return end();
      const begun = session.state.lastProcStreamID ?? 0;
      blockSinceMs = begun > lastStreamId ? (blockSinceMs ?? atMs) : undefined;
      if (blockSinceMs !== undefined && atMs - blockSinceMs >= headersTimeoutMs) return session.destroy();
      if (blockSinceMs !== undefined && atMs - blockSinceMs >= headersTimeoutMs / 2) ask(atMs, begun);
      const isWatched = [...exchanges].some((exchange) => exchange.isLongLived());
      if (isWatched && atMs - aliveMs >= idleTimeoutMs / 2) ask(atMs, 0);
      const isSilent = ping !== undefined && ping.bytesRead === connection.socket.bytesRead;
      if (isSilent && ping !== undefined && atMs - ping.sentMs >= headersTimeoutMs) session.destroy();
    },
  };
}

/** Ends the session of a client that asks for too much, and tells it so. */
export function calmDown(session: ServerHttp2Session): void {
  if (session.destroyed) return;
  // `destroy(undefined, code)` would forget the code.
  session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  session.destroy();
}

/** Ends a session that sends more PING and SETTINGS frames than anybody needs; each costs an answer. */
function controlFrameBudget(session: ServerHttp2Session): { refill(): void } {
  let left = HTTP_LIMITS.CONTROL_FRAMES_PER_SECOND_MAX.value;
  const spend = (): void => {
    if (--left < 0) calmDown(session);
  };
  session.on("ping", spend);
  session.on("remoteSettings", spend);
  return {
    refill() {
      left = HTTP_LIMITS.CONTROL_FRAMES_PER_SECOND_MAX.value;
    },
  };
}
