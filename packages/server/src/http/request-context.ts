import type { AshlarError, ErrorCode } from "@ashlar/sdk/errors";
import type { ReadBudget } from "@ashlar/sdk/ports";
import { type ContextKey, type ContextValues, createContextKey, createContextValues } from "@connectrpc/connect";
import type { Caller, OpenKind } from "./bounds/admission.ts";
import type { Exchange } from "./exchange/exchange.ts";
import type { HttpRequest } from "./http-handler.ts";

/** What the layers of a server tell each other about one request; RPC handlers reach it as `context.values.get(REQUEST_CONTEXT)`. */
export interface RequestContext {
  readonly requestId: string;
  /** Why the request may not run (OVERLOADED); it is answered in its own protocol. */
  readonly refusal?: AshlarError | undefined;
  /** The pool that had no slot for the request. */
  refusedBy?: unknown;
  /** Whether the caller has shown that it may call. */
  isTrusted?: boolean | undefined;
  /** What the caller showed: see {@link noteCaller}. */
  caller?: Caller | undefined;
  /**
   * To be called when the caller has shown that it may call: from then on it counts as known.
   *
   * @throws {AshlarError} OVERLOADED if what it showed already has its share of slots.
   */
  trust(caller?: Caller): void;
  /**
   * To be called by a call that needs no key, before any of its body is read.
   *
   * @throws {AshlarError} OVERLOADED if its peer has too many such calls.
   */
  moveTo(kind: OpenKind): void;
  /**
   * Budget for the bytes that the answer holds until they are taken; all are given back when the exchange is over. `undefined` without an exchange.
   * To be read once.
   */
  readonly answerBudget?: ReadBudget | undefined;
  /** See {@link Exchange.confirmEnd}. */
  readonly confirmEnd?: Exchange["confirmEnd"];
  /** See {@link Exchange.refuseBody}. */
  readonly refuseBody?: Exchange["refuseBody"] | undefined;
  /** The code of the error that an RPC answered with; its HTTP status does not show it. */
  errorCode?: ErrorCode | undefined;
}

const NONE: RequestContext = Object.freeze({ requestId: "", trust: () => {}, moveTo: () => {} });

/** The request's context; an empty, frozen one where a handler runs without our HTTP layers (in-process transport). */
export const REQUEST_CONTEXT: ContextKey<RequestContext> = createContextKey<RequestContext>(NONE, {
  description: "ashlar request",
});

/** Puts a context where RPC handlers find it. */
export function withRequestContext(request: HttpRequest, context: RequestContext): HttpRequest {
  const contextValues: ContextValues = (request.contextValues ?? createContextValues()).set(REQUEST_CONTEXT, context);
  return { ...request, requestId: context.requestId, contextValues };
}

/**
 * Notes that the caller of a plain HTTP request has shown that it may call. RPCs need not do this: their gate does.
 *
 * @param caller what it showed: requests with the same credential count as one client, whatever their addresses.
 * @throws {AshlarError} OVERLOADED if that client already has its share of slots.
 */
export function trustCaller(
  { contextValues, exchange }: Pick<HttpRequest, "contextValues" | "exchange">,
  caller: Caller = {},
): void {
  if (contextValues !== undefined) contextValues.get(REQUEST_CONTEXT).trust(caller);
  // A handler that runs without our HTTP layers has no slots, but its connection has windows.
  else exchange?.trust(() => 0);
}

/** Budget for the bytes that the answer to a plain HTTP request holds until they are taken. RPCs read it from their context. */
export function answerBudgetOf({ contextValues }: Pick<HttpRequest, "contextValues">): ReadBudget | undefined {
  return contextValues?.get(REQUEST_CONTEXT).answerBudget;
}

/** Notes, at an RPC's gate, what its caller showed: requests with the same credential count as one client, whatever their addresses. */
export function noteCaller(values: ContextValues, caller: Caller): void {
  const context = values.get(REQUEST_CONTEXT);
  if (context !== NONE) context.caller = caller;
}

/** Notes how an RPC failed, for logs and metrics. */
export function noteErrorCode(values: ContextValues, code: ErrorCode): void {
  const context = values.get(REQUEST_CONTEXT);
  if (context !== NONE) context.errorCode = code;
}
