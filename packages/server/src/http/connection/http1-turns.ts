import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { AshlarError } from "@ashlar/sdk/errors";
import { HTTP_LIMITS } from "../bounds/http-limits.ts";
import type { ServedExchange } from "../exchange/served-exchange.ts";
import { type ParserError, refuseSocket, refuseTunnel } from "./refuse-socket.ts";

/** A request of one connection. */
export interface Turn {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly expectsContinue: boolean;
}

/** The requests of one HTTP/1.1 connection, one after the other. */
export interface Http1Turns {
  add(turn: Turn): void;
  /** The connection sent something that is no HTTP. The requests before it are answered first. */
  fail(error: ParserError): void;
  /** The connection asked for a tunnel, and is read no further. The requests before it are answered first. */
  tunnel(): void;
}

/**
 * Serves pipelined requests in order.
 *
 * Node announces each request as soon as its headers are parsed, whether or not the one before it is answered; RFC 9112 §9.3.2 lets only safe
 * methods run side by side, and a client that pipelines a write and a read wants to read what it wrote. Order costs safe methods little.
 */
export function createHttp1Turns(socket: Socket, serve: (turn: Turn) => ServedExchange | undefined): Http1Turns {
  const waiting: Turn[] = [];
  let current: { readonly turn: Turn; readonly exchange: ServedExchange } | undefined;
  /** Ends the connection after its requests. */
  let last: (() => void) | undefined;
  let isFull = false;
  const start = (turn: Turn): void => {
    const exchange = serve(turn);
    if (exchange === undefined) {
      isFull = true;
      waiting.length = 0;
      return;
    }
    current = { turn, exchange };
    void exchange.ended.then(next);
  };
  const next = (): void => {
    current = undefined;
    const turn = waiting.shift();
    if (socket.destroyed) waiting.length = 0;
    else if (turn !== undefined) start(turn);
    else last?.();
  };
  const endWith = (refuse: () => void): void => {
    last = refuse;
    if (current === undefined) refuse();
  };
  return {
    add(turn) {
      if (isFull) return;
      // Node's parser drops what comes in the same packet after a request for an upgrade, perhaps a part of a later request. What follows would be
      // misread then.
      const isUpgrade = turn.request.headers.upgrade !== undefined;
      if (isUpgrade || (current !== undefined && waiting.length + 1 >= HTTP_LIMITS.PIPELINED_MAX.value)) {
        // The close tells the client that the requests after this one were not done.
        isFull = true;
        turn.response.shouldKeepAlive = false;
      }
      if (current === undefined) start(turn);
      else waiting.push(turn);
    },
    fail(error) {
      if (last !== undefined) return;
      endWith(() => refuseSocket(socket, error));
      if (current === undefined) return;
      if (!isBadFraming(error)) socket.destroy();
      else if (!current.turn.request.complete) {
        current.turn.response.shouldKeepAlive = false;
        current.exchange.refuseBody(brokenBody(error));
      }
    },
    tunnel() {
      // Node no longer serves the socket: from now on nobody else tells the answers that the socket has room.
      socket.on("error", () => {}).on("drain", () => current?.turn.response.emit("drain"));
      endWith(() => refuseTunnel(socket));
    },
  };
}

/** Everything else is a client that went away, in order or not. */
function isBadFraming({ code = "" }: ParserError): boolean {
  return (code.startsWith("HPE_") && code !== "HPE_INVALID_EOF_STATE") || code === "ERR_HTTP_REQUEST_TIMEOUT";
}

function brokenBody(cause: Error): AshlarError {
  return new AshlarError("INVALID_ARGUMENT", "the framing of the request's body is broken", { cause });
}
