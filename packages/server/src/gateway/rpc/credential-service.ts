import { AshlarError } from "@ashlar/sdk/errors";
import type { ApiKeyInfo, ApiKeyRole } from "@ashlar/sdk/ports";
import { type ApiKeySchema, type CredentialService, decodeInteger, decodeText, encodeInteger } from "@ashlar/sdk/rpc";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { rpcCall } from "../gateway-call.ts";
import type { GatewayOperations } from "../operations/index.ts";

/** Every RPC of CredentialService. */
export function createCredentialService({ perform }: GatewayOperations): ServiceImpl<typeof CredentialService> {
  return {
    async createApiKey({ name, role, bucket, prefix, expiresInMs }, call) {
      const request = {
        name,
        role: decodeRole(role),
        bucket: decodeText(bucket),
        prefix: decodeText(prefix),
        expiresInMs: decodeInteger(expiresInMs, "expiresInMs") || undefined,
      };
      const { apiKey, ...key } = await perform("createApiKey", request, rpcCall(call));
      return { key: encodeApiKey(key), apiKey };
    },
    async listApiKeys({ afterKeyId, limit }, call) {
      const query = { afterKeyId, limit: limit || undefined };
      const { keys, nextKeyId = "" } = await perform("listApiKeys", query, rpcCall(call));
      return { keys: keys.map(encodeApiKey), nextKeyId };
    },
    deleteApiKey: async ({ keyId }, call) => ({ deleted: await perform("deleteApiKey", { keyId }, rpcCall(call)) }),
    async revokeAccessToken({ token }, call) {
      await perform("revokeAccessToken", { token }, rpcCall(call));
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
