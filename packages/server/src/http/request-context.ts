import type { AshlarError, ErrorCode } from "@ashlar/sdk/errors";
import type { ReadBudget } from "@ashlar/sdk/ports";
import { type ContextKey, type ContextValues, createContextKey, createContextValues } from "@connectrpc/connect";
import type { Caller, OpenKind } from "./admission.ts";
import type { Exchange } from "./exchange.ts";
import type { HttpRequest } from "./http-handler.ts";

/** What the layers of a server tell each other about one request; RPC handlers reach it as `context.values.get(REQUEST_CONTEXT)`. */
export interface RequestContext {
  readonly requestId: string;
  /** Why the request may not run (OVERLOADED), to be answered in its own protocol. */
  readonly refusal?: AshlarError | undefined;
  /** The pool that had no slot for the request. */
  refusedBy?: unknown;
  /** Whether the caller has shown that it may call. */
  isTrusted?: boolean | undefined;
  /** What the caller showed: see {@link noteCaller}. */
  caller?: Caller | undefined;
  /**
   * To be called when the caller has shown that it may call: it counts among the known from then on.
   *
   * @throws {AshlarError} OVERLOADED if what it showed has its share of slots.
   */
  trust(caller?: Caller): void;
  /**
   * To be called, before anything of the body is read, by a call that needs no key.
   *
   * @throws {AshlarError} OVERLOADED if its peer has too many of them.
   */
  moveTo(kind: OpenKind): void;
  /** For what the answer holds until it is taken; given back when the exchange is over. `undefined` where nobody can tell when that is. To be asked for once. */
  readonly answerBudget?: ReadBudget | undefined;
  /** See {@link Exchange.confirmEnd}. */
  readonly confirmEnd?: Exchange["confirmEnd"];
  /** See {@link Exchange.refuseBody}. */
  readonly refuseBody?: Exchange["refuseBody"] | undefined;
  /** The code of the error that an RPC answered with; its HTTP status does not tell. */
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
 * The caller of a plain HTTP request has shown that it may call. RPCs need not say it: their gate does.
 *
 * @param caller what it showed: requests with the same credential count as one client, whatever their addresses.
 * @throws {AshlarError} OVERLOADED if that client has its share of slots.
 */
export function trustCaller(
  { contextValues, exchange }: Pick<HttpRequest, "contextValues" | "exchange">,
  caller: Caller = {},
): void {
  if (contextValues !== undefined) contextValues.get(REQUEST_CONTEXT).trust(caller);
  // A listener with a handler of its own has no slots, but windows.
  else exchange?.trust(() => 0);
}

/** For what the answer to a plain HTTP request holds until it is taken. RPCs ask their context. */
export function answerBudgetOf({ contextValues }: Pick<HttpRequest, "contextValues">): ReadBudget | undefined {
  return contextValues?.get(REQUEST_CONTEXT).answerBudget;
}

/** Tells, at an RPC's gate, what its caller showed: requests with the same credential count as one client, whatever their addresses. */
export function noteCaller(values: ContextValues, caller: Caller): void {
  const context = values.get(REQUEST_CONTEXT);
  if (context !== NONE) context.caller = caller;
}

/** Notes how an RPC failed, for logs and metrics. */
export function noteErrorCode(values: ContextValues, code: ErrorCode): void {
  const context = values.get(REQUEST_CONTEXT);
  if (context !== NONE) context.errorCode = code;
}
