import type { AshlarError } from "@ashlar/sdk/errors";

/** How an exchange ended: the whole answer was handed to the network, or it never will be. */
export type ExchangeEnd = "sent" | "cut";

/** Whom a request came from, as far as fairness needs to know. */
export interface Peer {
  /** An IPv4 address, or the /64 of an IPv6 address: what one subscriber can choose from counts as one. */
  readonly address: string;
  /** The connection, by identity. */
  readonly connection: object;
}

/** One request with its answer, as those see it who count it and hold it to its time. Handlers have no use for it. */
export interface Exchange {
  /** `undefined` where nobody can tell (a fetch-style server). */
  readonly peer: Peer | undefined;
  /** Settles when the exchange is over, on every protocol and however it ends. Never rejects. */
  readonly ended: Promise<ExchangeEnd>;
  /**
   * The caller showed that it may call: from now on it may pause for longer than PROGRESS_WINDOW_MS.
   *
   * @param crowding how much of slots or bytes is taken, from 0 to 1: the fuller, the faster a client has to be.
   */
  trust(crowding: () => number): void;
  /** The answer goes to somebody who showed no key: over HTTP/2 it is to be taken within STRANGER_ANSWER_MS, and few may wait. Idempotent. */
  markStranger(): void;
  /** The call is meant to stay open: silence is no fault of its client, but LONG_LIVED_MAX_MS is its end. */
  stayOpen(): void;
  /** Whether nothing is lost by its end now: it stays open, or its client has yet to send its message. */
  mayGiveWay(): boolean;
  /**
   * To be awaited before what a body's end makes whole is kept, if nothing in the body told where that is. Absent where the end cannot be mistaken: over
   * HTTP/1.1, with a `content-length`, and where no server can tell.
   *
   * @throws {AshlarError} CANCELED if the client takes the request back within LATE_RESET_MS.
   */
  readonly confirmEnd?: (() => Promise<void>) | undefined;
  /** What is wrong with the rest of the request's body; its reader gets it as an error. */
  refuseBody(error: AshlarError): void;
  /** Ends it for want of room: in order if it stays open, else with OVERLOADED. */
  giveWay(): void;
}
