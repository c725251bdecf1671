import type { ReadBudget } from "@ashlar/sdk/ports";
import type { HandlerContext } from "@connectrpc/connect";
import type { HttpRequest } from "../http/http-handler.ts";
import { REQUEST_CONTEXT, type RequestContext } from "../http/request-context.ts";
import { principalKey } from "./auth/auth-gate.ts";
import type { Principal } from "./auth/authenticator.ts";
import type { GatewayCall } from "./operations/operation.ts";

/** Carries the operation id of a write, on every protocol. The HTTP draft of this header puts the id in quotes; many clients do not. */
const OPERATION_ID_HEADER = "idempotency-key";

/** An RPC as the call of an operation. */
export function rpcCall({ requestHeader, signal, values }: HandlerContext): GatewayCall {
  return callOf(requestHeader, values.get(principalKey), { signal, context: values.get(REQUEST_CONTEXT) });
}

/** A plain HTTP request as the call of an operation. */
export function httpCall({ header, signal, contextValues }: HttpRequest, principal: Principal): GatewayCall {
  return callOf(header, principal, { signal, context: contextValues?.get(REQUEST_CONTEXT) });
}

function callOf(
  header: Headers,
  principal: Principal,
  { signal, context }: { readonly signal?: AbortSignal | undefined; readonly context: RequestContext | undefined },
): GatewayCall {
  const operationId = header.get(OPERATION_ID_HEADER)?.replace(/^"(.*)"$/, "$1");
  let budget: ReadBudget | undefined;
  return {
    ...{ principal, signal, operationId, credential: credentialOf(principal), confirmEnd: context?.confirmEnd },
    budget() {
      budget ??= context?.answerBudget;
      return budget;
    },
  };
}

/** Keeps answers for operation ids apart: nobody gets that of another API key, or of a token of the same key with another scope. */
function credentialOf({ apiKeyId, scope }: Principal): string {
  return scope === undefined ? apiKeyId : `${apiKeyId} ${scope.bucket}/${scope.prefix}`;
}
