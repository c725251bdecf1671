import { AshlarError } from "@ashlar/sdk/errors";
import type { Clock } from "@ashlar/sdk/ports";
import { HTTP_LIMITS } from "../bounds/http-limits.ts";
import { isHttp2, type NodejsResponse, onAnswerEnd } from "./answer-end.ts";
import { endConfirmation } from "./body-end.ts";
import type { Exchange, ExchangeEnd, Peer } from "./exchange.ts";
import { createInterrupt, type Interrupt } from "./interrupt.ts";
import type { Demand, Pace, PaceKeeper } from "./pace.ts";
import { answerDemand, bodyDemand, isCrowded, type ProgressWindows } from "./progress-demand.ts";

/** What the exchanges of one listener have in common. */
export interface ExchangeTimes {
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  readonly paces: PaceKeeper;
  readonly idleTimeoutMs: number;
}

/** An exchange as seen by the code that moves its bytes. */
export interface ServedExchange extends Exchange {
  /** Aborts when the exchange ends without the whole answer, or outlives its time. */
  readonly signal: AbortSignal;
  /** Ends waits for the request's body, and says why. */
  readonly reading: Interrupt;
  /** Ends waits for room in the answer, and for the body of the answer. */
  readonly writing: Interrupt;
  readonly readPace: Pace;
  readonly writePace: Pace;
  readonly isLongLived: () => boolean;
  readonly isUnauthenticated: () => boolean;
  /** Ends a call that stays open and has outlived LONG_LIVED_MAX_MS. */
  checkAge(): void;
}

/** Options of {@link createServedExchange}. */
export interface ServedExchangeOptions extends ExchangeTimes {
  readonly peer: Peer | undefined;
  /** Called whenever the caller shows that it may call. */
  readonly onTrust: () => void;
  /** Called once, if the answer goes to a caller that showed no key. */
  readonly onUnauthenticated: () => void;
  /** Ends the answer's connection (HTTP/1.1) or stream (HTTP/2). */
  readonly cut: () => void;
}

/** The exchange that ends with `response`. */
export function createServedExchange(response: NodejsResponse, options: ServedExchangeOptions): ServedExchange {
  const { clock, paces, idleTimeoutMs, peer, cut } = options;
  const abort = new AbortController();
  const [reading, writing] = [createInterrupt(), createInterrupt()];
  let isTrusted = false;
  let isUnauthenticated = false;
  let crowding = (): number => 0;
  let openedMs: number | undefined;
  let outlived = false;
  const briefMs = Math.min(idleTimeoutMs, HTTP_LIMITS.PROGRESS_WINDOW_MS.value);
  const windows = (trustedMs: number): ProgressWindows => {
    return { patienceMs: isTrusted ? trustedMs : briefMs, unauthenticatedMs: briefMs };
  };
  // The kernel takes megabytes of an answer at once and shows nothing until a third of them is gone; HTTP/2 has windows of its own.
  const answerWindowMs = isHttp2(response) ? idleTimeoutMs : HTTP_LIMITS.ANSWER_WINDOW_MS.value;
  const readPace = paces.start(
    () => (openedMs === undefined ? bodyDemand(windows(idleTimeoutMs), crowding()) : undefined),
    (missed) => reading.strike(tooSlow("sent the body", missed, isCrowded(crowding()))),
  );
  const writePace = paces.start(
    () => {
      if (isUnauthenticated && isHttp2(response)) return UNAUTHENTICATED_ANSWER;
      if (openedMs !== undefined) return undefined;
      return answerDemand(windows(answerWindowMs), crowding());
    },
    (missed) => {
      writing.strike(tooSlow("took the answer", missed, false));
      cut();
    },
  );
  const ended = new Promise<ExchangeEnd>((resolve) => {
    onAnswerEnd(response, (end) => {
      readPace.close();
      writePace.close();
      if (end === "cut") {
        const gone = new AshlarError("CANCELED", "the client went away");
        abort.abort(gone);
        reading.strike(gone);
        writing.strike(gone);
      }
      resolve(end);
    });
  });
  const outlive = (): void => {
    outlived = true;
    const old = new AshlarError("CANCELED", "the call was open for as long as one may be: call again");
    abort.abort(old);
    reading.strike(old);
  };
  return {
    peer,
    ended,
    signal: abort.signal,
    reading,
    writing,
    readPace,
    writePace,
    trust(crowdingOf) {
      isTrusted = true;
      crowding = crowdingOf;
      options.onTrust();
    },
    markUnauthenticated() {
      if (isUnauthenticated || isTrusted) return;
      isUnauthenticated = true;
      options.onUnauthenticated();
    },
    isUnauthenticated: () => isUnauthenticated,
    stayOpen() {
      openedMs ??= clock.monotonicMs();
    },
    isLongLived: () => openedMs !== undefined,
    confirmEnd: isHttp2(response) ? endConfirmation(response, { clock, signal: abort.signal }) : undefined,
    mayGiveWay: () => (openedMs === undefined ? readPace.isWaiting() : !outlived),
    giveWay: () => (openedMs === undefined ? reading.strike(new AshlarError("OVERLOADED", NO_ROOM)) : outlive()),
    refuseBody: (error) => reading.strike(error),
    checkAge() {
      if (openedMs === undefined) return;
      const overMs = clock.monotonicMs() - openedMs - HTTP_LIMITS.LONG_LIVED_MAX_MS.value;
      if (overMs < 0) return;
      if (!outlived) outlive();
      else if (overMs >= HTTP_LIMITS.LINGER_MS.value) cut();
    },
  };
}

const UNAUTHENTICATED_ANSWER: Demand = {
  windowMs: HTTP_LIMITS.UNAUTHENTICATED_ANSWER_MS.value,
  minBytesPerSecond: HTTP_LIMITS.PROGRESS_MIN_BYTES_PER_SECOND.value,
};

const NO_ROOM = "the call had sent no message yet when others needed its place: send it at once, and try again";

function tooSlow(what: string, { minBytesPerSecond }: Demand, crowded: boolean): AshlarError {
  const fact = `the client ${what} at less than ${Math.ceil(minBytesPerSecond)} bytes a second`;
  if (!crowded) return new AshlarError("CANCELED", `${fact}: it was cut off`);
  return new AshlarError("OVERLOADED", `${fact} while many wait for its place: try again`);
}
