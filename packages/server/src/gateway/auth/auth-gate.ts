import { type ContextKey, createContextKey } from "@connectrpc/connect";
import { noteCaller } from "../../http/request-context.ts";
import type { RpcGate } from "../../http/rpc-handlers.ts";
import type { Operation } from "./access-table.ts";
import { type Authenticator, callerOf, type Principal } from "./authenticator.ts";

/** Who calls where no gate was passed. */
export const NOBODY: Principal = Object.freeze({ apiKeyId: "" });

/** Who calls, for handlers: `context.values.get(principalKey)`. Without a gate before it, nobody. */
export const principalKey: ContextKey<Principal> = createContextKey<Principal>(NOBODY, {
  description: "who calls",
});

/** Authorizes an RPC of ObjectService or ClusterService by its headers, before a byte of its messages is read. */
export function authGate(authenticator: Authenticator): RpcGate {
  return async ({ method, requestHeader, values }) => {
    const operation = method.localName as Operation;
    const principal = await authenticator.authorize(requestHeader.get("authorization"), operation);
    values.set(principalKey, principal);
    noteCaller(values, callerOf(principal));
  };
}
