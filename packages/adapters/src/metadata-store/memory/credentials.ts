import { AshlarError } from "@ashlar/sdk/errors";
import { digestFromBytes } from "@ashlar/sdk/hash";
import type { CredentialCatalog } from "@ashlar/sdk/ports";
import type { MemoryState } from "./state.ts";

export function memoryCredentials(state: MemoryState): CredentialCatalog {
  return {
    async createApiKey({ keyId, name, role, secretSha256, sealedSecret, scope, expiresAtMs }) {
      if (state.apiKeys.has(keyId))
        throw new AshlarError("INVALID_ARGUMENT", "the key id is taken", { details: { keyId } });
      const record = Object.freeze({
        ...{ keyId, name, role, secretSha256: digestFromBytes(secretSha256) },
        ...(sealedSecret === undefined ? {} : { sealedSecret: Uint8Array.from(sealedSecret) }),
        createdAtMs: state.clock.nowMs(),
        ...(scope === undefined ? {} : { scope: Object.freeze({ ...scope }) }),
        ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
      });
      state.apiKeys.set(keyId, record);
      return record;
    },
    findApiKey: async (keyId) => state.apiKeys.get(keyId),
    listApiKeys: async () => [...state.apiKeys.values()].sort((a, b) => (a.keyId < b.keyId ? -1 : 1)),
    deleteApiKey: async (keyId) => state.apiKeys.delete(keyId),
    async revokeToken({ tokenId, expiresAtMs }) {
      const nowMs = state.clock.nowMs();
      for (const [known, endMs] of state.revokedTokens) if (endMs < nowMs) state.revokedTokens.delete(known);
      state.revokedTokens.set(tokenId, expiresAtMs);
    },
    isTokenRevoked: async (tokenId) => state.revokedTokens.has(tokenId),
  };
}
