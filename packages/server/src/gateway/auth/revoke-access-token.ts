import { AshlarError } from "@ashlar/sdk/errors";
import type { GatewayContext } from "../gateway-context.ts";
import type { Principal } from "./authenticator.ts";

/**
 * Calls an access token back. A token that has ended, or one of an earlier release that has no id, is left to its end.
 *
 * @returns the token's id, where it has one.
 * @throws {AshlarError} INVALID_ARGUMENT for what is no token of this cluster, PERMISSION_DENIED for the token of another key unless the
 *   caller is an admin.
 */
export async function revokeAccessToken(
  { metadata, grants, insecure }: GatewayContext,
  token: string,
  call: { readonly principal: Principal; readonly signal?: AbortSignal | undefined },
): Promise<string | undefined> {
  if (insecure || grants === undefined)
    throw new AshlarError("UNSUPPORTED", "this gateway runs insecure: it checks no token");
  const { apiKeyId, role, scope } = call.principal;
  const grant = await grants
    .verify(token, ["access"], { expiredForMs: Number.POSITIVE_INFINITY })
    .catch((cause: unknown): never => {
      throw new AshlarError("INVALID_ARGUMENT", "this is no access token of this cluster", { cause });
    });
  if (grant.apiKeyId !== apiKeyId && !(role === "admin" && scope === undefined)) {
    throw new AshlarError(
      "PERMISSION_DENIED",
      "another API key gave this token; that key calls it back, or one of role admin",
    );
  }
  const { tokenId, expiresAtMs } = grant;
  if (tokenId !== undefined) await metadata.revokeToken({ tokenId, expiresAtMs }, { signal: call.signal });
  return tokenId;
}
