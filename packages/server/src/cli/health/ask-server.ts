import { AshlarError } from "@ashlar/sdk/errors";
import type { Readiness } from "../../http/index.ts";

/** What a server answers to `/readyz`. */
export interface ReadyAnswer {
  readonly ready: boolean;
  /** Its dependencies by name, each with its state in a word or two. */
  readonly checks: Readonly<Record<string, string>>;
  /** The server's time, in ms since the Unix epoch, cut to the second. */
  readonly dateMs?: number | undefined;
}

/** The answer for an Ashlar server that has its health on a separate port, which this process may not reach. */
export const APART: ReadyAnswer & Readiness = Object.freeze({
  ready: true,
  checks: { operations: "on a port of their own" as const },
});

/** Why there is no answer. */
export interface NoAnswer {
  readonly reason: string;
  /** True: the machine was reached and nothing listens on that port, so the server does not run. False: the network may be the cause. */
  readonly isRefused: boolean;
  /** What to do, if the reason is clear enough. */
  readonly action?: string | undefined;
}

/** Codes and texts of OpenSSL and Node for a handshake or a certificate that failed. */
const TLS_FAILURE = /^(EPROTO|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_(SSL|TLS)_)|:SSL routines:|certificate/;

/**
 * Asks a server whether it and its dependencies are ready. Needs no credentials.
 *
 * @param url base URL without a trailing slash.
 * @param options.signal the caller's: an abort rejects the call.
 */
export async function askReadiness(
  url: string,
  options: { readonly signal: AbortSignal; readonly limitMs: number },
): Promise<ReadyAnswer | NoAnswer> {
  const { signal, limitMs } = options;
  let status = 0;
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.any([signal, AbortSignal.timeout(limitMs)]) });
    ({ status } = response);
    if (status === 404 && response.headers.has("ashlar-error-code")) return APART;
    const body = (await response.json()) as Partial<ReadyAnswer>;
    if (typeof body.ready !== "boolean") return notOurs(status);
    const dateMs = Date.parse(response.headers.get("date") ?? "");
    return { ready: body.ready, checks: body.checks ?? {}, dateMs: Number.isNaN(dateMs) ? undefined : dateMs };
  } catch (error) {
    if (signal.aborted) throw AshlarError.from(signal.reason);
    return error instanceof SyntaxError ? notOurs(status) : noAnswerOf(error);
  }
}

function notOurs(status: number): NoAnswer {
  if (status < 500) return { reason: "it is not an Ashlar server", isRefused: false };
  const action = "see whether the server behind the proxy runs, and what the proxy's log says about it";
  return { reason: `a proxy answered ${status}`, isRefused: false, action };
}

function noAnswerOf(error: unknown): NoAnswer {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return { reason: "no answer", isRefused: false };
  const code = "code" in cause ? String(cause.code) : "";
  if (TLS_FAILURE.test(code) || TLS_FAILURE.test(cause.message)) {
    const reason = `TLS failed (${code || cause.name})`;
    const action = "use http:// if the port has no TLS, or name the CA of its certificate with NODE_EXTRA_CA_CERTS";
    return { reason, isRefused: false, action };
  }
  if (code === "UND_ERR_SOCKET" || code === "ECONNRESET") {
    const action = "see whether it runs; if the port has TLS, use https://";
    return { reason: cause.message || code, isRefused: false, action };
  }
  if (cause.message === "bad port") {
    const reason = "fetch refuses to connect to this port, as browsers do";
    return { reason, isRefused: false, action: "let the server listen on another port" };
  }
  // A name with two addresses fails with an AggregateError, which has a code and no message.
  return { reason: cause.message || code || cause.name, isRefused: code === "ECONNREFUSED" };
}

/** Looks up a metric without labels by its name. @returns `undefined` if the server does not have it. */
export type Figures = (name: string) => number | undefined;

/** Reads a server's `/metrics`. Needs no credentials. @throws what fetch throws if it does not answer. */
export async function readFigures(url: string, signal: AbortSignal): Promise<Figures> {
  const response = await fetch(`${url}/metrics`, { signal });
  // The metrics are on a separate port, which this process may not reach.
  if (!response.ok) throw new Error(`no metrics: status ${response.status}`);
  const lines = (await response.text()).split("\n").map((line) => line.split(" "));
  return (name) => {
    const value = lines.find(([found]) => found === name)?.[1];
    return value === undefined ? undefined : Number(value);
  };
}
