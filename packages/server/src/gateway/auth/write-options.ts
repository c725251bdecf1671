import type { WriteOptions } from "@ashlar/sdk/ports";
import type { HandlerContext } from "@connectrpc/connect";
import { principalKey } from "./auth-gate.ts";
import type { Principal } from "./authenticator.ts";

/** Carries the operation id of a write, on every protocol. The draft of the same name quotes it, many clients do not. */
const OPERATION_ID_HEADER = "idempotency-key";

/** What a caller of an RPC says of the write that it asks for, and whose operation ids those are. */
export function rpcWriteOptions({ requestHeader, signal, values }: HandlerContext): WriteOptions {
  return writeOptionsOf(requestHeader, values.get(principalKey), signal);
}

/** The same for a plain HTTP request. */
export function writeOptionsOf(header: Headers, principal: Principal, signal: AbortSignal | undefined): WriteOptions {
  const operationId = header.get(OPERATION_ID_HEADER)?.replace(/^"(.*)"$/, "$1");
  return { signal, operationId, credential: credentialOf(principal) };
}

/** Nobody gets the answer of somebody else: neither another key's, nor, within one, that of a token that reaches elsewhere. */
function credentialOf({ apiKeyId, scope }: Principal): string {
  return scope === undefined ? apiKeyId : `${apiKeyId} ${scope.bucket}/${scope.prefix}`;
}
