import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { HTTP_LIMITS } from "../bounds/http-limits.ts";
import type { NodejsExchange } from "../exchange/nodejs-exchange.ts";
import type { ServedExchange } from "../exchange/served-exchange.ts";
import type { Connection } from "./connection.ts";
import { createHttp1Turns, type Http1Turns, type Turn } from "./http1-turns.ts";
import { refuseSocket } from "./refuse-socket.ts";
import { type TlsOptions, tlsContext } from "./tls.ts";
import type { UnauthenticatedRequests } from "./unauthenticated-requests.ts";

/** The HTTP/1.1 half of a listener; its server also owns the port. */
export interface Http1Side {
  readonly front: Server;
  accept(connection: Connection): void;
  /** Checks the timeouts for which Node has no event. */
  check(nowMs: number): void;
}

/** Options of {@link createHttp1Side}; the listener's options explain them. */
export interface Http1SideOptions {
  readonly exchange: NodejsExchange;
  readonly unauthenticated: UnauthenticatedRequests;
  readonly tls: TlsOptions | undefined;
  readonly maxHeaderBytes: number;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly nowMs: () => number;
}

interface Entry {
  readonly connection: Connection;
  readonly turns: Http1Turns;
  running?: ServedExchange | undefined;
}

/** Serves HTTP/1.1 on connections whose protocol is known. */
export function createHttp1Side(options: Http1SideOptions): Http1Side {
  const { exchange, nowMs, idleTimeoutMs } = options;
  const front = createFront(options);
  const event = options.tls === undefined ? "connection" : "secureConnection";
  const speak = front.listeners(event);
  front.removeAllListeners(event);
  const entries = new Map<Socket, Entry>();
  const serve = (entry: Entry, { request, response, expectsContinue }: Turn): ServedExchange | undefined => {
    const { connection } = entry;
    const charge = options.unauthenticated.charge(connection);
    if (charge === undefined) {
      connection.socket.destroy();
      return undefined;
    }
    const onTrust = (): void => {
      connection.isTrusted = true;
      charge.giveBack();
    };
    const peer = { address: connection.address, connection };
    const served = exchange.serve(request, response, { peer, expectsContinue, onTrust });
    entry.running = served;
    connection.requestCount = 1;
    void served.ended.then((end) => {
      if (end === "sent" && !served.isUnauthenticated()) charge.giveBack();
      entry.running = undefined;
      connection.requestCount = 0;
      connection.quietSinceMs = nowMs();
    });
    return served;
  };
  const add = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void =>
    entries.get(request.socket)?.turns.add({ request, response, expectsContinue });
  front.on("request", (request, response) => add(request, response, false));
  front.on("checkContinue", (request, response) => add(request, response, true));
  // Refused where all requests are refused: Node's own 417 would bypass every bound.
  front.on("checkExpectation", (request, response) => add(request, response, false));
  front.on("connect", (_request, socket) => entries.get(socket as Socket)?.turns.tunnel());
  front.on("clientError", (error, socket) => {
    const entry = entries.get(socket as Socket);
    if (entry === undefined) refuseSocket(socket as Socket, error);
    else entry.turns.fail(error);
  });
  front.setTimeout(idleTimeoutMs, (socket) => {
    // Its pace judges a client that takes an answer slowly: the kernel shows no movement for minutes.
    if (entries.get(socket)?.running?.writePace.isWaiting() !== true) socket.destroy();
  });
  return {
    front,
    accept(connection) {
      const { socket } = connection;
      const entry: Entry = { connection, turns: createHttp1Turns(socket, (turn) => serve(entry, turn)) };
      entries.set(socket, entry);
      socket.once("close", () => entries.delete(socket));
      for (const listener of speak) listener.call(front, socket);
    },
    check(atMs) {
      for (const { connection } of entries.values()) {
        const isQuiet = connection.requestCount === 0 && atMs - connection.quietSinceMs >= idleTimeoutMs;
        if (isQuiet) connection.socket.destroy();
      }
    },
  };
}

function createFront({ tls, maxHeaderBytes, headersTimeoutMs, keepAliveTimeoutMs }: Http1SideOptions): Server {
  const limits = {
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: headersTimeoutMs,
    // A body may take any time as long as it moves: its pace watches it.
    requestTimeout: 0,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: HTTP_LIMITS.PACE_CHECK_MS.value,
    noDelay: true,
    // Refused where all bad hosts are refused, with a problem that says so.
    requireHostHeader: false,
  };
  const front: Server =
    tls === undefined
      ? createServer(limits)
      : createTlsServer({ ...limits, ...tlsContext(tls), ALPNProtocols: ["h2", "http/1.1"] });
  // Beyond this count Node 24 refuses, and Node 22 silently drops the rest, perhaps a condition. One more than allowed is let through, so that it is
  // seen here and refused.
  front.maxHeadersCount = HTTP_LIMITS.HEADER_COUNT_MAX.value + 1;
  return front;
}
