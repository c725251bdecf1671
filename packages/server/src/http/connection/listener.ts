import type { Server as Http1Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import type { Clock, Logger } from "@ashlar/sdk/ports";
import { guardedLogger, systemClock } from "@ashlar/sdk/ports";
import { HTTP_LIMITS } from "../bounds/http-limits.ts";
import { createNodejsExchange, type NodejsExchange } from "../exchange/nodejs-exchange.ts";
import { createPaceKeeper } from "../exchange/pace.ts";
import type { HttpHandler } from "../http-handler.ts";
import { acceptSockets } from "./accept-sockets.ts";
import { addressOf } from "./connection.ts";
import { createHttp1Side } from "./http1-side.ts";
import { createHttp2Side, type Http2Side } from "./http2-side.ts";
import { changeCertificate, type TlsOptions } from "./tls.ts";
import { createUnauthenticatedRequests } from "./unauthenticated-requests.ts";

/** Options of {@link createHttpListener}; defaults in `LIMITS` and `HTTP_LIMITS`. */
export interface HttpListenerOptions {
  readonly handler: HttpHandler;
  /** Default 127.0.0.1: to serve other machines, name another host. */
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
  readonly connectionsPerAddressMax?: number | undefined;
  /** Called for each connection that is refused because `connectionsMax` are open. */
  readonly onRefused?: (() => void) | undefined;
  /** Measures the time limits of clients; default: the system's clock. */
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
}

/** Bounds that both protocols share. */
interface ListenerTimes {
  readonly maxHeaderBytes: number;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
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
  /** @throws {AshlarError} INVALID_ARGUMENT if the address cannot be used (in use, not ours, no permission). */
  listen(): Promise<ListenAddress>;
  /**
   * Gives new connections another certificate.
   *
   * @throws {AshlarError} INVALID_ARGUMENT if it cannot be used; the port keeps the one it has.
   */
  setTls(tls: TlsOptions): void;
  /**
   * Stops accepting, tells HTTP/2 peers to go away, lets running requests finish for `graceMs` (default SHUTDOWN_GRACE_MS), then cuts what is
   * left. Idempotent.
   */
  close(options?: { readonly graceMs?: number | undefined }): Promise<void>;
}

/**
 * Serves a handler on one port.
 *
 * In cleartext the first bytes of a connection show its protocol (the HTTP/2 preface with prior knowledge, or else HTTP/1.1); with a certificate
 * ALPN does. TCP_NODELAY on every socket. One rule for both protocols: a client that makes no progress is cut off, see `HTTP_LIMITS`.
 */
export function createHttpListener(options: HttpListenerOptions): HttpListener {
  const logger = guardedLogger(options.logger);
  const clock = options.clock ?? systemClock;
  const nowMs = (): number => clock.monotonicMs();
  const times = timesOf(options);
  const paces = createPaceKeeper(clock);
  const exchange = createNodejsExchange({ ...times, handler: withHsts(options), logger, clock, paces });
  const unauthenticated = createUnauthenticatedRequests(nowMs);
  const http1 = createHttp1Side({ ...times, exchange, unauthenticated, nowMs, tls: options.tls });
  const http2 = createHttp2Side({ ...times, exchange, unauthenticated, nowMs });
  const { front } = http1;
  front.maxConnections = options.connectionsMax ?? HTTP_LIMITS.CONNECTIONS_MAX.value;
  const { onRefused } = options;
  if (onRefused !== undefined) front.on("drop", () => onRefused());
  const sockets = acceptSockets(front, {
    ...times,
    isEncrypted: options.tls !== undefined,
    perAddressMax: options.connectionsPerAddressMax ?? HTTP_LIMITS.CONNECTIONS_PER_ADDRESS_MAX.value,
    dispatch(protocol, socket) {
      const connection = {
        socket,
        address: addressOf(socket),
        requestCount: 0,
        quietSinceMs: nowMs(),
        isTrusted: false,
      };
      (protocol === "http2" ? http2 : http1).accept(connection);
    },
  });
  const stop = new AbortController();
  let closing: Promise<void> | undefined;
  return {
    async listen() {
      const host = options.host ?? "127.0.0.1";
      await startListening(front, host, options.port ?? 0);
      void everyTick({ clock, times, signal: stop.signal }, () => {
        paces.check();
        exchange.checkAges();
        http1.check(nowMs());
        http2.check(nowMs());
        unauthenticated.check();
      });
      const { port } = front.address() as AddressInfo;
      const name = host.includes(":") ? `[${host}]` : host;
      return { url: `${options.tls === undefined ? "http" : "https"}://${name}:${port}`, host, port };
    },
    setTls: (tls) => changeCertificate(front, tls),
    close(closeOptions) {
      const graceMs = closeOptions?.graceMs ?? LIMITS.SHUTDOWN_GRACE_MS;
      closing ??= closeServers({ front, exchange, sockets, http2, graceMs, logger }).finally(() => stop.abort());
      return closing;
    },
  };
}

/** Adds the HSTS header. Browsers believe it over TLS only. Behind a proxy that speaks TLS, the proxy has to send it. */
function withHsts({ handler, tls }: HttpListenerOptions): HttpHandler {
  const maxAgeMs = tls === undefined ? 0 : (tls.hstsMaxAgeMs ?? HTTP_LIMITS.HSTS_MAX_AGE_MS.value);
  if (maxAgeMs === 0) return handler;
  const hsts = `max-age=${Math.floor(maxAgeMs / 1000)}`;
  return async (request) => {
    const response = await handler(request);
    const header = response.header ?? new Headers();
    header.set("strict-transport-security", hsts);
    return { ...response, header };
  };
}

function timesOf(options: HttpListenerOptions): ListenerTimes {
  return {
    maxHeaderBytes: options.maxHeaderBytes ?? HTTP_LIMITS.HEADER_MAX_BYTES.value,
    headersTimeoutMs: options.headersTimeoutMs ?? HTTP_LIMITS.HEADERS_TIMEOUT_MS.value,
    idleTimeoutMs: options.idleTimeoutMs ?? HTTP_LIMITS.IDLE_TIMEOUT_MS.value,
    keepAliveTimeoutMs: options.keepAliveTimeoutMs ?? HTTP_LIMITS.KEEP_ALIVE_TIMEOUT_MS.value,
  };
}

/** Calls `look` again and again until the signal aborts; often enough for the shortest of the times. */
async function everyTick(
  { clock, times, signal }: { clock: Clock; times: ListenerTimes; signal: AbortSignal },
  look: () => void,
): Promise<void> {
  const shortestMs = Math.min(times.headersTimeoutMs, times.idleTimeoutMs);
  const tickMs = Math.max(10, Math.min(HTTP_LIMITS.PACE_CHECK_MS.value, shortestMs / 4));
  try {
    for (;;) {
      await clock.sleep(tickMs, { signal });
      look();
    }
  } catch {
    // The listener closed.
  }
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
  readonly exchange: NodejsExchange;
  readonly sockets: ReadonlySet<Socket>;
  readonly http2: Http2Side;
  readonly graceMs: number;
  readonly logger: Logger;
}

async function closeServers({ front, exchange, sockets, http2, graceMs, logger }: Closing): Promise<void> {
  if (front.listening) front.close();
  http2.close();
  const finished = await exchange.drain(graceMs);
  if (!finished)
    logger.warn({ graceMs, requestCount: exchange.runningCount() }, "cutting requests that did not finish in time");
  // What is left is idle, or out of time. Sessions go first, so that a finished peer sees its GOAWAY.
  front.closeIdleConnections();
  if (finished) await settle(sockets);
  http2.destroy();
  for (const socket of sockets) socket.destroy();
}

/** Gives connections whose last answer is out a moment to flush and close by themselves. */
async function settle(sockets: ReadonlySet<Socket>): Promise<void> {
  for (let turn = 0; turn < 10 && sockets.size > 0; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
