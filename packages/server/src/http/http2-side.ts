import {
  constants,
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";
import { MIB } from "@ashlar/sdk/limits";
import type { Connection } from "./connection.ts";
import { HTTP_LIMITS } from "./http-limits.ts";
import { createSessionWatch, type SessionWatch } from "./http2-session-watch.ts";
import type { NodeExchange } from "./node-exchange.ts";

/** The HTTP/2 half of a listener. */
export interface Http2Side {
  accept(connection: Connection): void;
  /** Looks after times that no event tells. */
  check(nowMs: number): void;
  /** Tells all peers to go away. */
  close(): void;
  destroy(): void;
}

/** Options of {@link createHttp2Side}; what they mean stands at the listener's. */
export interface Http2SideOptions {
  readonly exchange: NodeExchange;
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
  const server = createServer(serverOptions(options));
  // Node makes the session before `emit` returns.
  let arriving: Connection | undefined;
  server.on("session", (session) => {
    const connection = arriving;
    if (connection === undefined) return session.destroy();
    sessions.set(session, { session, connection, watch: createSessionWatch(session, connection, options) });
    session.once("close", () => sessions.delete(session));
    session.setLocalWindowSize(HTTP_LIMITS.CONNECTION_WINDOW_BYTES.value);
  });
  const serve = (request: Http2ServerRequest, response: Http2ServerResponse, expectsContinue: boolean): void => {
    const entry = sessions.get(request.stream.session as ServerHttp2Session);
    if (entry === undefined) {
      request.stream.close(constants.NGHTTP2_CANCEL);
      return;
    }
    const { connection, watch } = entry;
    watch.sawStream(request.stream.id ?? 0);
    if (headerBytes(request) > options.maxHeaderBytes) {
      response.writeHead(431).end();
      return;
    }
    connection.requestCount++;
    const peer = { address: connection.address, connection };
    const served = options.exchange.serve(request, response, { peer, expectsContinue });
    watch.sawExchange(served);
    void served.ended.then(() => {
      connection.requestCount--;
      connection.quietSinceMs = options.nowMs();
    });
  };
  server.on("request", (request, response) => serve(request, response, false));
  server.on("checkContinue", (request, response) => serve(request, response, true));
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
    maxSessionMemory: HTTP_LIMITS.SESSION_MEMORY_MAX_BYTES.value / MIB,
    streamResetBurst: HTTP_LIMITS.STREAM_RESETS_BURST.value,
    streamResetRate: HTTP_LIMITS.STREAM_RESETS_PER_SECOND.value,
    settings: {
      initialWindowSize: HTTP_LIMITS.STREAM_WINDOW_BYTES.value,
      maxConcurrentStreams: HTTP_LIMITS.STREAMS_MAX.value,
      maxHeaderListSize: maxHeaderBytes,
      enablePush: false,
    },
  };
}

/** Size of a request's headers as HTTP/2 counts them (RFC 9113 §6.5.2). Node announces the limit to clients and does not enforce it. */
function headerBytes(request: Http2ServerRequest): number {
  let bytes = 0;
  for (const text of request.rawHeaders) bytes += text.length + 16;
  return bytes;
}
