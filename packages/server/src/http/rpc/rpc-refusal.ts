import { connectErrorFrom } from "@ashlar/sdk/rpc";
import type { ConnectError, ContextValues } from "@connectrpc/connect";
import { publicError, withRequestId } from "../problem.ts";
import { noteErrorCode, REQUEST_CONTEXT } from "../request-context.ts";

/** The error that refuses an RPC before its handler runs, when no interceptor translates errors yet. Notes the code for logs and metrics. */
export function rpcRefusal(values: ContextValues | undefined, error: unknown): ConnectError {
  const known = publicError(error);
  if (values !== undefined) noteErrorCode(values, known.code);
  return connectErrorFrom(withRequestId(known, values?.get(REQUEST_CONTEXT).requestId ?? ""));
}
