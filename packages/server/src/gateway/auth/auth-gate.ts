import { type ContextKey, createContextKey } from "@connectrpc/connect";
import { noteCaller } from "../../http/request-context.ts";
import type { RpcGate } from "../../http/rpc/rpc-handlers.ts";
import type { OperationName } from "../operations/operation.ts";
import { type CallHead, callerOf, type Principal } from "./authenticator.ts";

/** The caller of a call that passed no gate. */
export const NOBODY: Principal = Object.freeze({ apiKeyId: "" });

/** The caller, for handlers: `context.values.get(principalKey)`; {@link NOBODY} if the call passed no gate. */
export const principalKey: ContextKey<Principal> = createContextKey<Principal>(NOBODY, {
  description: "who calls",
});

/** Authorizes an RPC of the gateway by its headers, before a byte of its messages is read. */
export function authGate(authenticate: (head: CallHead, name: OperationName) => Promise<Principal>): RpcGate {
  return async ({ method, requestMethod, url, requestHeader, values }) => {
    const head = { method: requestMethod, url, header: requestHeader };
    const principal = await authenticate(head, method.localName as OperationName);
    values.set(principalKey, principal);
    noteCaller(values, callerOf(principal));
  };
}
