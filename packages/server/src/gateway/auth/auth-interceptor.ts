import { ClusterService, ObjectService } from "@ashlar/sdk/rpc";
import { type ContextKey, createContextKey, type Interceptor } from "@connectrpc/connect";
import type { Operation } from "./access-table.ts";
import type { Authenticator, Principal } from "./authenticator.ts";

/** Who calls, for handlers: `context.values.get(principalKey)`. */
export const principalKey: ContextKey<Principal> = createContextKey<Principal>(
  { apiKeyId: "" },
  { description: "who calls" },
);

/**
 * Authorizes every RPC of ObjectService and ClusterService before its handler sees a message; other services of the same router (chunks,
 * health, reflection) have their own rules.
 */
export function authInterceptor(authenticator: Authenticator): Interceptor {
  return (next) => async (request) => {
    const { typeName } = request.service;
    if (typeName === ObjectService.typeName || typeName === ClusterService.typeName) {
      const operation = request.method.localName as Operation;
      const principal = await authenticator.authorize(request.header.get("authorization"), operation);
      request.contextValues.set(principalKey, principal);
    }
    return await next(request);
  };
}
