import {
  constants,
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from "node:http2";
import { AshlarError } from "@ashlar/sdk/errors";
import { MIB } from "@ashlar/sdk/limits";
import { HTTP_LIMITS } from "../bounds/http-limits.ts";
import { earlyRefusal } from "../exchange/early-refusal.ts";
import { expectsContinue } from "../exchange/expectation.ts";
import type { NodejsExchange } from "../exchange/nodejs-exchange.ts";
import type { Connection } from "./connection.ts";
import { calmDown, createSessionWatch, type SessionWatch } from "./http2-session-watch.ts";
import { noProxy } from "./refuse-socket.ts";
import type { Charge, UnauthenticatedRequests } from "./unauthenticated-requests.ts";

/** The HTTP/2 half of a listener. */
export interface Http2Side {
  accept(connection: Connection): void;
  /** Checks the timeouts for which Node has no event. */
  check(nowMs: number): void;
  /** Tells all peers to go away. */
  close(): void;
  destroy(): void;
}

/** Options of {@link createHttp2Side}; the listener's options explain them. */
export interface Http2SideOptions {
  readonly exchange: NodejsExchange;
  readonly unauthenticated: UnauthenticatedRequests;
  readonly maxHeaderBytes: number;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly nowMs: () => number;
}

interface Session {
  readonly session: ServerHttp2Session;
  readonly connection: Connection;
  readonly watch: SessionWatch;
}

/** Serves HTTP/2 on connections whose protocol is known. */
export function createHttp2Side(options: Http2SideOptions): Http2Side {
  const sessions = new Map<ServerHttp2Session, Session>();
  const charges = new WeakMap<ServerHttp2Stream, Charge>();
  const server = createServer(serverOptions(options));
  // Node makes the session before `emit` returns.
  let arriving: Connection | undefined;
  server.on("session", (session) => {
    const connection = arriving;
    if (connection === undefined) return session.destroy();
    sessions.set(session, { session, connection, watch: createSessionWatch(session, connection, options) });
    session.once("close", () => sessions.delete(session));
    session.prependListener("stream", (stream: ServerHttp2Stream) => {
      const charge = options.unauthenticated.charge(connection);
      if (charge !== undefined) {
        charges.set(stream, charge);
        return;
      }
      // Node still hands over the rest of a read; nobody looks at it.
      session.removeAllListeners("stream");
      calmDown(session);
    });
    session.setLocalWindowSize(HTTP_LIMITS.CONNECTION_WINDOW_BYTES.value);
  });
  const arrive = (request: Http2ServerRequest): (Session & { readonly charge: Charge }) | undefined => {
    const { stream } = request;
    const charge = charges.get(stream);
    // Nobody wants the answer of a stream that was reset in the same read.
    if (stream.destroyed || stream.closed) return undefined;
    const entry = sessions.get(stream.session as ServerHttp2Session);
    if (entry === undefined || charge === undefined) {
      stream.close(constants.NGHTTP2_CANCEL);
      return undefined;
    }
    entry.watch.sawStream(stream.id ?? 0);
    return { ...entry, charge };
  };
  const serve = (request: Http2ServerRequest, response: Http2ServerResponse, expectsContinue: boolean): void => {
    const arrival = arrive(request);
    if (arrival === undefined) return;
    const { session, connection, watch, charge } = arrival;
    if (headerBytes(request) > options.maxHeaderBytes) {
      refuse(request, new AshlarError("INVALID_ARGUMENT", "the request's headers are too large"), 431);
      return;
    }
    connection.requestCount++;
    const onTrust = (): void => {
      charge.giveBack();
      if (connection.isTrusted) return;
      connection.isTrusted = true;
      if (!session.destroyed && !session.closed) session.settings(TRUSTED_SETTINGS);
    };
    const peer = { address: connection.address, connection };
    const served = options.exchange.serve(request, response, { peer, expectsContinue, onTrust });
    watch.sawExchange(served);
    void served.ended.then((end) => {
      if (end === "sent" && !served.isUnauthenticated()) charge.giveBack();
      connection.requestCount--;
      connection.quietSinceMs = options.nowMs();
    });
  };
  server.on("request", (request, response) => serve(request, response, false));
  server.on("checkContinue", (request, response) => serve(request, response, true));
  // Nothing would bound Node's own answers to these, which the peer may leave untaken.
  server.on("checkExpectation", (request: Http2ServerRequest, response: Http2ServerResponse) =>
    serve(request, response, expectsContinue(request.headers.expect)),
  );
  server.on("connect", (request: Http2ServerRequest) => {
    if (arrive(request) !== undefined) refuse(request, noProxy(), 405);
  });
  return {
    accept(connection) {
      // HTTP/1.1 servers accept half-open sockets; with one, an HTTP/2 session would not notice that its client is gone.
      connection.socket.allowHalfOpen = false;
      arriving = connection;
      server.emit("connection", connection.socket);
      arriving = undefined;
    },
    check(nowMs) {
      for (const { watch } of sessions.values()) watch.check(nowMs);
    },
    close() {
      for (const session of sessions.keys()) session.close();
    },
    destroy() {
      for (const session of sessions.keys()) session.destroy();
    },
  };
}

function serverOptions({ maxHeaderBytes }: Http2SideOptions): Parameters<typeof createServer>[0] {
  return {
    // Node resets a stream with more of them, before it makes a request of them.
    maxHeaderListPairs: HTTP_LIMITS.HEADER_COUNT_MAX.value,
    maxSessionMemory: HTTP_LIMITS.SESSION_MEMORY_MAX_BYTES.value / MIB,
    streamResetBurst: HTTP_LIMITS.STREAM_RESETS_BURST.value,
    streamResetRate: HTTP_LIMITS.STREAM_RESETS_PER_SECOND.value,
    settings: {
      initialWindowSize: HTTP_LIMITS.UNAUTHENTICATED_WINDOW_BYTES.value,
      maxConcurrentStreams: HTTP_LIMITS.UNAUTHENTICATED_STREAMS_MAX.value,
      maxHeaderListSize: maxHeaderBytes,
      enablePush: false,
    },
  };
}

/** What a connection may do once a good key was seen on it; the larger window is that of open streams too (RFC 9113 §6.9.2). */
const TRUSTED_SETTINGS: Settings = {
  initialWindowSize: HTTP_LIMITS.STREAM_WINDOW_BYTES.value,
  maxConcurrentStreams: HTTP_LIMITS.STREAMS_MAX.value,
};

/** An answer of headers alone, which no window of the peer holds back. */
function refuse({ stream }: Http2ServerRequest, error: AshlarError, status: number): void {
  if (stream.closed) return;
  stream.resume();
  const { header } = earlyRefusal(error, status);
  header.delete("content-type");
  stream.respond({ ":status": status, ...Object.fromEntries(header) }, { endStream: true });
  stream.close(constants.NGHTTP2_NO_ERROR);
}

/** Size of a request's headers as HTTP/2 counts them (RFC 9113 §6.5.2). Node announces the limit to clients and does not enforce it. */
function headerBytes(request: Http2ServerRequest): number {
  let bytes = 0;
  for (const text of request.rawHeaders) bytes += text.length + 16;
  return bytes;
}
