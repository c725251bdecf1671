import type { AshlarError } from "@ashlar/sdk/errors";

/** How an exchange ended: the whole answer was handed to the network, or it never will be. */
export type ExchangeEnd = "sent" | "cut";

/** Whom a request came from, as far as fairness needs to know. */
export interface Peer {
  /** An IPv4 address, or the /64 of an IPv6 address: all addresses that one subscriber can choose from count as one. */
  readonly address: string;
  /** The connection, by identity. */
  readonly connection: object;
}

/** One request with its answer, as seen by the code that counts exchanges and limits their time. Handlers do not need it. */
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
  /** The answer goes to a caller that showed no key: over HTTP/2 it must be taken within UNAUTHENTICATED_ANSWER_MS, and few may wait. Idempotent. */
  markUnauthenticated(): void;
  /** The call is meant to stay open: its client may be silent, but the call ends after LONG_LIVED_MAX_MS. */
  stayOpen(): void;
  /** Whether nothing is lost if it ends now: it is a call that stays open, or its client has not sent its message yet. */
  mayGiveWay(): boolean;
  /**
   * To be awaited at the end of a body, before what the body completes is kept, if nothing in the body says where it ends. Absent where the end is
   * certain (over HTTP/1.1, or with a `content-length`), and where no server can tell.
   *
   * @throws {AshlarError} CANCELED if the client takes the request back within LATE_RESET_MS.
   */
  readonly confirmEnd?: (() => Promise<void>) | undefined;
  /** Refuses the rest of the request's body; its reader gets this error. */
  refuseBody(error: AshlarError): void;
  /** Ends it to make room: in order if it is a call that stays open, else with OVERLOADED. */
  giveWay(): void;
}
