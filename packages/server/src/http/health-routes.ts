import type { ErrorCode } from "@ashlar/sdk/errors";
import type { Clock } from "@ashlar/sdk/ports";
import type { Metrics } from "../observability/metrics.ts";
import type { Admission } from "./bounds/admission.ts";
import { HTTP_LIMITS } from "./bounds/http-limits.ts";
import type { Descriptors } from "./descriptors.ts";
import type { HttpHandler } from "./http-handler.ts";
import { jsonResponse } from "./json-response.ts";

/** States of a dependency, in words for operators. `ashlar health` explains each state: one without an explanation does not compile. */
export type CheckWord =
  | "ok"
  | "registered"
  | "none"
  | "not registered"
  | "not renewed"
  | "refused"
  | "id held by another node"
  | "another cluster key"
  | "its clock differs"
  | "read-only"
  | "lost its disk"
  | "away"
  | "does not answer"
  | "overloaded"
  | "used up"
  | "some were damaged"
  | "fails"
  | "overdue"
  | "stopping"
  // No server reports this about itself: `ashlar health` finds it.
  | "on a port of their own";

/** The state of a dependency; an error code if its check failed. */
export type CheckState = CheckWord | ErrorCode;

/** Whether a server's dependencies answer. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, CheckState>>;
}

/** Options of {@link operationRoutes}. */
export interface OperationOptions {
  readonly readiness: () => Promise<Readiness>;
  readonly admission: Pick<Admission, "isFull" | "fullForMs">;
  readonly descriptors?: Pick<Descriptors, "areUsedUp"> | undefined;
  readonly metrics: Metrics;
  readonly clock: Pick<Clock, "monotonicMs">;
}

const NO_STORE = { "cache-control": "no-store" };

/**
 * The routes for load balancers and monitoring: `/healthz` (the process answers and is not stuck), `/readyz` (its dependencies answer, it has a
 * slot for a request and file descriptors, else 503), `/metrics`. Exact paths. They need no key, and are answered under overload too.
 */
export function operationRoutes(options: OperationOptions): ReadonlyMap<string, HttpHandler> {
  const { readiness, admission, descriptors } = options;
  const guarded = (answer: HttpHandler): HttpHandler => {
    return async (request) =>
      request.method === "GET" || request.method === "HEAD"
        ? await answer(request)
        : { status: 405, header: new Headers({ allow: "GET, HEAD" }) };
  };
  const rendered = sharedMetrics(options.metrics, options.clock);
  return new Map<string, HttpHandler>([
    [
      "/healthz",
      guarded(async () => {
        // A busy server is alive. One that refuses everybody for this long does not recover by itself.
        const isStuck = admission.fullForMs() >= HTTP_LIMITS.STUCK_MS.value;
        return jsonResponse(isStuck ? 503 : 200, { status: isStuck ? "stuck" : "alive" }, NO_STORE);
      }),
    ],
    [
      "/readyz",
      guarded(async ({ exchange }) => {
        const [found, areUsedUp] = await Promise.all([readiness(), descriptors?.areUsedUp() ?? false]);
        const ready = found.ready && !areUsedUp;
        const checks = areUsedUp ? { ...found.checks, descriptors: "used up" } : found.checks;
        if (!admission.isFull(exchange?.peer)) return jsonResponse(ready ? 200 : 503, { ready, checks }, NO_STORE);
        return jsonResponse(503, { ready: false, checks: { ...checks, requests: "overloaded" } }, NO_STORE);
      }),
    ],
    [
      "/metrics",
      guarded(async () => {
        const { contentType, text } = await rendered();
        return { status: 200, header: new Headers({ ...NO_STORE, "content-type": contentType }), body: text };
      }),
    ],
  ]);
}

interface Rendered {
  readonly contentType: string;
  readonly text: Uint8Array;
}

/** A rendering is kept this many times as long as it took: callers who ask for the metrics without pause take at most a tenth of a core. */
const KEPT_TIMES = 9;

function sharedMetrics(metrics: Metrics, clock: Pick<Clock, "monotonicMs">): () => Promise<Rendered> {
  let keptUntilMs = Number.NEGATIVE_INFINITY;
  let rendering: Promise<Rendered> | undefined;
  const render = async (): Promise<Rendered> => {
    keptUntilMs = Number.POSITIVE_INFINITY;
    const startedMs = clock.monotonicMs();
    try {
      const { contentType, text } = await metrics.render();
      return { contentType, text: new TextEncoder().encode(text) };
    } finally {
      const endedMs = clock.monotonicMs();
      keptUntilMs = endedMs + KEPT_TIMES * (endedMs - startedMs);
    }
  };
  return () => {
    if (rendering === undefined || clock.monotonicMs() >= keptUntilMs) rendering = render();
    return rendering;
  };
}
