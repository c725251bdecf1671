import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import type { ApiKeyInfo, ApiKeyRole, Random } from "@ashlar/sdk/ports";
import { type ApiKeySchema, type CredentialService, decodeInteger, decodeText, encodeInteger } from "@ashlar/sdk/rpc";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { createApiKey } from "../auth/api-key.ts";
import { principalKey } from "../auth/auth-gate.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import { revokeAccessToken } from "../auth/revoke-access-token.ts";
import type { GatewayContext } from "../gateway-context.ts";

/** API keys, and access tokens that are called back. */
export function createCredentialService(
  context: GatewayContext,
  { authenticator, random }: { readonly authenticator: Authenticator; readonly random: Pick<Random, "bytes"> },
): ServiceImpl<typeof CredentialService> {
  const { metadata, clock, insecure } = context;
  return {
    async createApiKey({ name, role, bucket, prefix, expiresInMs }, { signal }) {
      if (insecure) throw new AshlarError("UNSUPPORTED", "this gateway runs insecure: no API key is needed");
      const { apiKey, record } = await createApiKey({
        ...{ metadata, random, clock, signal },
        name,
        role: decodeRole(role),
        bucket: decodeText(bucket),
        prefix: decodeText(prefix),
        expiresInMs: decodeInteger(expiresInMs, "expiresInMs") || undefined,
      });
      return { key: encodeApiKey(record), apiKey };
    },
    async listApiKeys({ afterKeyId, limit }, { signal }) {
      const keys = await metadata.listApiKeys({ signal });
      const from = afterKeyId === "" ? 0 : keys.findIndex(({ keyId }) => keyId > afterKeyId);
      const count = limit === 0 ? LIMITS.LIST_LIMIT_MAX.value : limit;
      const page = from < 0 ? [] : keys.slice(from, from + count);
      const isLast = from < 0 || from + count >= keys.length;
      return {
        keys: page.map(encodeApiKey),
        nextKeyId: isLast ? "" : (page.at(-1)?.keyId ?? ""),
      };
    },
    async deleteApiKey({ keyId }, { signal }) {
      const deleted = await metadata.deleteApiKey(keyId, { signal });
      authenticator.forget(keyId);
      return { deleted };
    },
    async revokeAccessToken({ token }, { signal, values }) {
      const tokenId = await revokeAccessToken(context, token, { principal: values.get(principalKey), signal });
      if (tokenId !== undefined) authenticator.forget(tokenId);
      return {};
    },
  };
}

function encodeApiKey(key: ApiKeyInfo): MessageInitShape<typeof ApiKeySchema> {
  const { keyId, name, role, createdAtMs, scope, expiresAtMs } = key;
  return {
    ...{ keyId, name, role },
    bucket: scope?.bucket ?? "",
    prefix: scope?.prefix ?? "",
    createdAtMs: encodeInteger(createdAtMs),
    expiresAtMs: encodeInteger(expiresAtMs ?? 0),
  };
}

function decodeRole(role: string): ApiKeyRole | undefined {
  if (role === "") return undefined;
  if (role === "admin" || role === "readwrite" || role === "readonly") return role;
  throw new AshlarError("INVALID_ARGUMENT", "role is admin, readwrite or readonly", { details: { field: "role" } });
}
