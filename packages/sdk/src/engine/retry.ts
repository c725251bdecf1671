import { AshlarError } from "../errors/index.ts";
import { callWatcher } from "../internal/app-functions.ts";
import { noteFailure } from "../internal/failure-notes.ts";
import { tlsProblem } from "../internal/network-error.ts";
import * as LIMITS from "../limit-values.ts";
import type { Clock, Random, WriteOptions } from "../ports/index.ts";

/** A try that failed and will be repeated. */
export interface RetryEvent {
  readonly error: AshlarError;
  /** How many tries have failed, from 1. */
  readonly attempt: number;
  /** How long it waits before the next one, in ms. */
  readonly waitMs: number;
  /** How much longer it goes on trying, in ms. */
  readonly leftMs: number;
}

/** How long a seat tries again while servers are away, restart or are busy. */
export interface RetryPolicy {
  /** How long a call is tried again, in ms from its first failure; default RETRY_FOR_MS. 0: each call is tried once. */
  readonly forMs?: number | undefined;
  /** Called before each wait, and for each of several calls that wait at once, so that an app can show it. What it throws changes nothing. */
  readonly onRetry?: ((event: RetryEvent) => void) | undefined;
}

/** How often and how long to try. */
export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal?: AbortSignal | undefined;
  readonly retry?: RetryPolicy | undefined;
  /** Tries in all, ≥ 1; default: as many as the time allows. */
  readonly attempts?: number | undefined;
  /** Called before each wait. */
  readonly onRetry?: ((error: AshlarError, attempt: number) => void) | undefined;
}

/**
 * Runs `work` until it succeeds, fails with an error that is not retryable, or the time is over.
 *
 * Waits between tries with full jitter: a random part of an exponentially growing bound, so that many clients that failed together
 * do not come back together. Waits longer if the server asks for it (`details.retryAfterMs`). The last try is made when the time ends. Source: AWS
 * Architecture Blog, "Exponential Backoff And Jitter" (2015).
 */
export async function withRetry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { clock, random, signal, retry } = options;
  const forMs = retry?.forMs ?? LIMITS.RETRY_FOR_MS;
  let endsAtMs: number | undefined;
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (thrown) {
        const error = AshlarError.from(thrown);
        // A server that hung until it was given up has used up that time already.
        endsAtMs ??= clock.monotonicMs() + forMs - Math.min(forMs, Number(error.details.silentMs ?? 0) || 0);
        const leftMs = endsAtMs - clock.monotonicMs();
        const askedMs = Number(error.details.retryAfterMs ?? 0) || 0;
        if (!isWorthTrying(error, attempt) || attempt >= (options.attempts ?? Infinity)) throw error;
        if (leftMs <= 0 || askedMs > leftMs || signal?.aborted) throw error;
        noteFailure(signal, error);
        options.onRetry?.(error, attempt);
        const boundMs = Math.min(LIMITS.RETRY_MAX_MS, LIMITS.RETRY_BASE_MS * 2 ** Math.min(attempt - 1, 16));
        const waitMs = Math.min(leftMs, Math.max(askedMs, 1) + random.fraction() * boundMs);
        const { onRetry } = retry ?? {};
        if (onRetry) callWatcher(onRetry, "onRetry", () => onRetry({ error, attempt, waitMs, leftMs }));
        await clock.sleep(waitMs, { signal });
      }
    }
  } finally {
    if (endsAtMs !== undefined) noteFailure(signal);
  }
}

/** More time does not help bytes that arrive damaged again and again, nor a failed TLS handshake. */
function isWorthTrying(error: AshlarError, attempt: number): boolean {
  if (!error.retryable || tlsProblem(error) !== undefined) return false;
  return error.code !== "CHUNK_DIGEST_MISMATCH" || attempt < LIMITS.CHUNK_ATTEMPTS;
}

/** Options of a call of a {@link retrying} port. */
export interface TriedOptions extends WriteOptions {
  /** Called at the beginning of each try; if it throws, the try fails with that. */
  readonly beforeTry?: (() => void) | undefined;
}

/**
 * A port whose calls are tried again: reads because they change nothing, writes because their operation id is the same for all tries.
 *
 * Keeps in `outcome` of the options whether a write may have happened: yes while a try runs, and after a lost answer until a try succeeds.
 */
export function retrying<Port extends object>(port: Port, options: Omit<RetryOptions, "signal">): Port {
  // The target is empty: over a frozen port, a Proxy may only give the port's own methods.
  return new Proxy({} as Port, {
    get(_, name) {
      const method: unknown = Reflect.get(port, name);
      if (typeof method !== "function") return method;
      return (...args: unknown[]) => {
        const { signal, outcome, beforeTry } = (args.at(-1) ?? {}) as TriedOptions;
        const call = async (): Promise<unknown> => {
          beforeTry?.();
          return await (Reflect.apply(method, port, args) as Promise<unknown>);
        };
        const told = outcome === undefined ? call : () => tell(call, outcome);
        return withRetry(keepingUnknown(told), { ...options, signal });
      };
    },
  });
}

/**
 * Once a try said that the write may have happened, the errors of later tries say so too. This is for callers that pass no `outcome`, such as
 * gateways, whose clients see the last error only. A success clears it.
 */
function keepingUnknown<T>(call: () => Promise<T>): () => Promise<T> {
  let isUnknown = false;
  return async () => {
    try {
      return await call();
    } catch (thrown) {
      const error = AshlarError.from(thrown);
      const saysUnknown = error.details.outcome === "unknown";
      if (!isUnknown || saysUnknown) {
        isUnknown ||= saysUnknown;
        throw error;
      }
      const { code, message, details } = error;
      throw new AshlarError(code, message, { cause: error, details: { ...details, outcome: "unknown" } });
    }
  };
}

async function tell<T>(call: () => Promise<T>, outcome: NonNullable<WriteOptions["outcome"]>): Promise<T> {
  const before = outcome.unknown;
  outcome.unknown = true;
  try {
    const result = await call();
    outcome.unknown = false;
    return result;
  } catch (error) {
    // Once an answer was lost, no later refusal says what that try did: it may still be on its way.
    outcome.unknown = before || mayHaveHappened(AshlarError.from(error));
    throw error;
  }
}

/** Codes of causes of calls that were not sent: errors of the system when no connection was made, and `NOT_SENT` of the ports. */
const NOT_CONNECTED =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ERR_NOT_SENT)$/;

/** Whether a write that failed with this error may still have happened. */
function mayHaveHappened(error: AshlarError): boolean {
  if (error.details.outcome === "unknown") return true;
  if (/^(CANCELED|DEADLINE_EXCEEDED|STORE_CLOSED|INTERNAL)$/.test(error.code)) return true;
  if (error.code !== "NODE_UNAVAILABLE" || tlsProblem(error) !== undefined) return false;
  let cause: unknown = error;
  for (let depth = 0; depth < 10 && cause instanceof Error; depth++) {
    if ("code" in cause && NOT_CONNECTED.test(String(cause.code))) return false;
    cause = cause.cause;
  }
  return true;
}
