import { createServer as createHttp1Server, type Server as Http1Server } from "node:http";
import {
  createServer as createHttp2Server,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS, MIB } from "@ashlar/sdk/limits";
import type { Logger } from "@ashlar/sdk/ports";
import { silentLogger } from "@ashlar/sdk/ports";
import type { HttpHandler } from "./http-handler.ts";
import { HTTP_LIMITS } from "./http-limits.ts";
import { createNodeExchange, type NodeExchange } from "./node-exchange.ts";
import { sniffProtocol } from "./protocol-sniffer.ts";

/** Certificate chain and key in PEM. */
export interface TlsOptions {
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
}

/** Options of {@link createHttpListener}; defaults in `LIMITS` and `HTTP_LIMITS`. */
export interface HttpListenerOptions {
  readonly handler: HttpHandler;
  /** Default 127.0.0.1: whoever serves other machines says so. */
  readonly host?: string | undefined;
  /** Default 0: any free port. */
  readonly port?: number | undefined;
  /** With a certificate the port speaks TLS, and ALPN picks the protocol. */
  readonly tls?: TlsOptions | undefined;
  readonly maxHeaderBytes?: number | undefined;
  readonly headersTimeoutMs?: number | undefined;
  readonly idleTimeoutMs?: number | undefined;
  readonly keepAliveTimeoutMs?: number | undefined;
  readonly connectionsMax?: number | undefined;
  readonly logger?: Logger | undefined;
}

/** Where a listener can be reached. */
export interface ListenAddress {
  /** `http://host:port` or `https://host:port`, without a trailing slash. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
}

/** One port that speaks HTTP/1.1 and HTTP/2. */
export interface HttpListener {
  /** @throws {AshlarError} INVALID_ARGUMENT if the address cannot be had (in use, not ours, no permission). */
  listen(): Promise<ListenAddress>;
  /**
   * Stops accepting, tells HTTP/2 peers to go away, lets running requests finish for `graceMs` (default SHUTDOWN_GRACE_MS), then cuts what is
   * left. Idempotent.
   */
  close(options?: { readonly graceMs?: number | undefined }): Promise<void>;
}

/**
 * Serves a handler on one port.
 *
 * In cleartext the protocol of a connection is told by its first bytes (the HTTP/2 preface with prior knowledge, or else HTTP/1.1); with a
 * certificate by ALPN. TCP_NODELAY on every socket.
 */
export function createHttpListener(options: HttpListenerOptions): HttpListener {
  const logger = options.logger ?? silentLogger;
  const exchange = createNodeExchange({ handler: options.handler, logger });
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  const http2 = http2Server(options, exchange, sessions);
  const front = frontServer(options, exchange);
  const event = options.tls === undefined ? "connection" : "secureConnection";
  const speakHttp1 = front.listeners(event);
  front.removeAllListeners(event);
  const dispatch = (protocol: "http1" | "http2", socket: Socket): void => {
    if (protocol === "http2") {
      // HTTP/1.1 servers accept half-open sockets; with one, an HTTP/2 session would not notice that its client is gone.
      socket.allowHalfOpen = false;
      http2.emit("connection", socket);
    } else for (const listener of speakHttp1) listener.call(front, socket);
  };
  front.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  front.on(event, (socket: Socket & { readonly alpnProtocol?: string | false | null }) => {
    if (options.tls !== undefined) dispatch(socket.alpnProtocol === "h2" ? "http2" : "http1", socket);
    else sniffProtocol(socket, options.headersTimeoutMs ?? HTTP_LIMITS.HEADERS_TIMEOUT_MS.value, dispatch);
  });
  let closing: Promise<void> | undefined;
  return {
    async listen() {
      const host = options.host ?? "127.0.0.1";
      await startListening(front, host, options.port ?? 0);
      const { port } = front.address() as AddressInfo;
      const name = host.includes(":") ? `[${host}]` : host;
      return { url: `${options.tls === undefined ? "http" : "https"}://${name}:${port}`, host, port };
    },
    close(closeOptions) {
      const graceMs = closeOptions?.graceMs ?? LIMITS.SHUTDOWN_GRACE_MS.value;
      closing ??= closeServers({ front, exchange, sockets, sessions, graceMs, logger });
      return closing;
    },
  };
}

function frontServer(options: HttpListenerOptions, exchange: NodeExchange): Http1Server {
  const limits = {
    maxHeaderSize: options.maxHeaderBytes ?? HTTP_LIMITS.HEADER_MAX_BYTES.value,
    headersTimeout: options.headersTimeoutMs ?? HTTP_LIMITS.HEADERS_TIMEOUT_MS.value,
    // A body may take as long as it moves: the idle timeout guards it.
    requestTimeout: 0,
    keepAliveTimeout: options.keepAliveTimeoutMs ?? HTTP_LIMITS.KEEP_ALIVE_TIMEOUT_MS.value,
    connectionsCheckingInterval: 1000,
    noDelay: true,
  };
  const front: Http1Server =
    options.tls === undefined
      ? createHttp1Server(limits)
      : createHttpsServer({
          ...limits,
          cert: pem(options.tls.cert),
          key: pem(options.tls.key),
          ALPNProtocols: ["h2", "http/1.1"],
        });
  // Node passes over headers beyond the 2,000th without a word, a condition among them; the bytes are bounded already.
  front.maxHeadersCount = 0;
  front.maxConnections = options.connectionsMax ?? HTTP_LIMITS.CONNECTIONS_MAX.value;
  front.setTimeout(options.idleTimeoutMs ?? HTTP_LIMITS.IDLE_TIMEOUT_MS.value);
  front.on("request", (request, response) => exchange.serve(request, response));
  front.on("checkContinue", (request, response) => exchange.serve(request, response, { expectsContinue: true }));
  return front;
}

function pem(text: string | Uint8Array): string | Buffer {
  return typeof text === "string" ? text : Buffer.from(text);
}

function http2Server(
  options: HttpListenerOptions,
  exchange: NodeExchange,
  sessions: Set<ServerHttp2Session>,
): Http2Server {
  const idleTimeoutMs = options.idleTimeoutMs ?? HTTP_LIMITS.IDLE_TIMEOUT_MS.value;
  const maxHeaderBytes = options.maxHeaderBytes ?? HTTP_LIMITS.HEADER_MAX_BYTES.value;
  const server = createHttp2Server({
    maxSessionMemory: HTTP_LIMITS.SESSION_MEMORY_MAX_BYTES.value / MIB,
    settings: {
      initialWindowSize: HTTP_LIMITS.STREAM_WINDOW_BYTES.value,
      maxConcurrentStreams: HTTP_LIMITS.STREAMS_MAX.value,
      maxHeaderListSize: maxHeaderBytes,
      enablePush: false,
    },
  });
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.setLocalWindowSize(HTTP_LIMITS.CONNECTION_WINDOW_BYTES.value);
    // An idle peer is told to go away; one with stalled streams is cut off.
    session.setTimeout(idleTimeoutMs, () => (session.closed ? session.destroy() : session.close()));
  });
  const serve = (request: Http2ServerRequest, response: Http2ServerResponse, expectsContinue: boolean): void => {
    if (headerBytes(request) <= maxHeaderBytes) exchange.serve(request, response, { expectsContinue });
    else response.writeHead(431).end();
  };
  server.on("request", (request, response) => serve(request, response, false));
  server.on("checkContinue", (request, response) => serve(request, response, true));
  return server;
}

/** Size of a request's headers as HTTP/2 counts them (RFC 9113 §6.5.2). Node announces the limit to clients and does not enforce it. */
function headerBytes(request: Http2ServerRequest): number {
  let bytes = 0;
  for (const text of request.rawHeaders) bytes += text.length + 16;
  return bytes;
}

function startListening(front: Http1Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void =>
      reject(
        new AshlarError("INVALID_ARGUMENT", `cannot listen on ${host}:${port}: ${error.message}`, { cause: error }),
      );
    front.once("error", onError);
    front.listen(port, host, () => {
      front.off("error", onError);
      resolve();
    });
  });
}

interface Closing {
  readonly front: Http1Server;
  readonly exchange: NodeExchange;
  readonly sockets: Set<Socket>;
  readonly sessions: Set<ServerHttp2Session>;
  readonly graceMs: number;
  readonly logger: Logger;
}

async function closeServers({ front, exchange, sockets, sessions, graceMs, logger }: Closing): Promise<void> {
  if (front.listening) front.close();
  for (const session of sessions) session.close();
  const finished = await exchange.drain(graceMs);
  if (!finished)
    logger.warn({ graceMs, requestCount: exchange.runningCount() }, "cutting requests that did not finish in time");
  // What is left is idle, or out of time. Sessions go first, so that a finished peer sees its GOAWAY.
  front.closeIdleConnections();
  if (finished) await settle(sockets);
  for (const session of sessions) session.destroy();
  for (const socket of sockets) socket.destroy();
}

/** Gives connections whose last answer is out a moment to flush and close by themselves. */
async function settle(sockets: Set<Socket>): Promise<void> {
  for (let turn = 0; turn < 10 && sockets.size > 0; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
