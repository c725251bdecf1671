import { AsyncLocalStorage } from "node:async_hooks";
import type { LogFields } from "@ashlar/sdk/ports";

/** The request that is being worked on. */
export interface RequestScope {
  readonly requestId: string;
  /** Of the request's span here, or of the caller's span if nothing is traced here. */
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
  /** The caller's `traceparent`, to be passed on if nothing is traced here. */
  readonly traceParent?: string | undefined;
}

const scopes = new AsyncLocalStorage<RequestScope>();

/** Runs `work`, and all that it starts, on behalf of a request. Returns what `work` returns. */
export function inRequest<T>(scope: RequestScope, work: () => T): T {
  return scopes.run(scope, work);
}

/** The request on whose behalf the caller runs; `undefined` in background work. */
export function currentRequest(): RequestScope | undefined {
  return scopes.getStore();
}

/** What each log line of a request's work says: `requestId`, and `traceId` and `spanId` where there is a trace. */
export function requestFields(): LogFields {
  const scope = scopes.getStore();
  if (scope === undefined) return {};
  const { requestId, traceId, spanId } = scope;
  return traceId === undefined ? { requestId } : { requestId, traceId, spanId };
}
