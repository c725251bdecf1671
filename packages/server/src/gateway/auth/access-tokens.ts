import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import {
  type AccessRole,
  type AccessToken,
  type AccessTokenRequest,
  assertBucketName,
  assertObjectKey,
} from "@ashlar/sdk/ports";
import type { GatewayContext } from "../gateway-context.ts";
import { requireBucket } from "../operations/object-operations.ts";
import type { GatewayCall } from "../operations/operation.ts";
import type { Principal } from "./authenticator.ts";
import { assertTouchesInScope } from "./check-scope.ts";

/**
 * Signs an access token for the holder of an API key. Stores nothing.
 *
 * @throws {AshlarError} INVALID_ARGUMENT, INVALID_BUCKET_NAME, BUCKET_NOT_FOUND; PERMISSION_DENIED for more than the API key may do;
 *   UNSUPPORTED on an insecure gateway.
 */
export async function issueAccessToken(
  context: GatewayContext,
  request: AccessTokenRequest,
  call: GatewayCall,
): Promise<AccessToken> {
  const { grants, insecure, clock } = context;
  if (insecure || grants === undefined) {
    throw new AshlarError("UNSUPPORTED", "this gateway runs insecure: everybody may do everything, no token is needed");
  }
  const { bucket, prefix = "", expiresInMs = LIMITS.ACCESS_TOKEN_TTL_MS } = request;
  assertBucketName(bucket);
  if (prefix !== "") assertObjectKey(prefix);
  assertLife(expiresInMs);
  const { apiKeyId, scope, expiresAtMs: keyEndsAtMs = Number.POSITIVE_INFINITY } = call.principal;
  const role = roleOf(call.principal, request.role);
  // A key for one bucket gives tokens only for what it reaches itself.
  await assertTouchesInScope(context, scope, [{ kind: "prefix", bucket, prefix }], call.signal);
  await requireBucket(context.engine, bucket, call.signal);
  const expiresAtMs = Math.floor(Math.min(clock.nowMs() + expiresInMs, keyEndsAtMs));
  const tokenId = grants.newTicketId();
  return { token: await grants.issueAccess({ apiKeyId, tokenId, role, bucket, prefix, expiresAtMs }), expiresAtMs };
}

function assertLife(expiresInMs: number): void {
  const [min, max] = [LIMITS.ACCESS_TOKEN_TTL_MIN_MS, LIMITS.ACCESS_TOKEN_TTL_MAX_MS];
  if (expiresInMs >= min && expiresInMs <= max) return;
  throw new AshlarError("INVALID_ARGUMENT", `an access token lives from ${min} to ${max} ms`, {
    details: { field: "expiresInMs", minMs: String(min), maxMs: String(max) },
  });
}

/** A token never allows more than the API key: a key that only reads gives tokens that only read. */
function roleOf({ role, byToken }: Principal, wanted: AccessRole | undefined): AccessRole {
  if (role === undefined || byToken === true) {
    throw new AshlarError("PERMISSION_DENIED", "only an API key gives access tokens");
  }
  if (role !== "readonly") return wanted ?? "readwrite";
  if (wanted === "readwrite") {
    throw new AshlarError("PERMISSION_DENIED", "an API key of role readonly gives tokens of role readonly only");
  }
  return "readonly";
}

/**
 * Revokes an access token. A token of an earlier release has no id and cannot be revoked: it works until it expires.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for what is no token of this cluster, PERMISSION_DENIED for the token of another key unless the
 *   caller is an admin.
 */
export async function revokeAccessToken(
  { metadata, grants, insecure, authenticator }: GatewayContext,
  { token }: { readonly token: string },
  call: GatewayCall,
): Promise<void> {
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
      "another API key gave this token; only that key or one of role admin can revoke it",
    );
  }
  const { tokenId, expiresAtMs } = grant;
  if (tokenId === undefined) return;
  await metadata.revokeToken({ tokenId, expiresAtMs }, { signal: call.signal });
  authenticator.forget(tokenId);
}
