import { connectErrorFrom } from "@ashlar/sdk/rpc";
import type { ConnectError, ContextValues } from "@connectrpc/connect";
import { publicError, withRequestId } from "./problem.ts";
import { noteErrorCode, REQUEST_CONTEXT } from "./request-context.ts";

/** What an RPC is refused with before its handler runs: no interceptor is there yet to translate errors. Notes the code for logs and metrics. */
export function rpcRefusal(values: ContextValues | undefined, error: unknown): ConnectError {
  const known = publicError(error);
  if (values !== undefined) noteErrorCode(values, known.code);
  return connectErrorFrom(withRequestId(known, values?.get(REQUEST_CONTEXT).requestId ?? ""));
}
