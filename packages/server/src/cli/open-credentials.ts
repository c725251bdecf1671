import {
  type ApiKeyInfo,
  type ApiKeyRequest,
  type CreatedApiKey,
  createCredentialClient,
} from "@ashlar/sdk/credentials";
import { AshlarError } from "@ashlar/sdk/errors";
import { type ApiKeyRecord, systemRandom } from "@ashlar/sdk/ports";
import { createApiKey } from "../gateway/index.ts";
import { openExistingMetadata } from "./servers/open-metadata.ts";
import type { Settings } from "./settings.ts";

/** Settings that say where API keys are kept. */
export const CREDENTIAL_SETTINGS = ["gateway", "path", "apiKey", "databaseUrl"] as const;

/** API keys, through a gateway or straight in its database. */
export interface OpenedCredentials extends AsyncDisposable {
  createApiKey(request: ApiKeyRequest): Promise<CreatedApiKey>;
  listApiKeys(): Promise<readonly ApiKeyInfo[]>;
  deleteApiKey(keyId: string): Promise<boolean>;
}

const shown = ({ secretSha256: _secretSha256, ...info }: ApiKeyRecord): ApiKeyInfo => info;

/** @throws {AshlarError} INVALID_ARGUMENT if neither a gateway nor a database is named; BUCKET_NOT_FOUND if the folder holds no store. */
export async function openCredentials(
  settings: Pick<Settings<(typeof CREDENTIAL_SETTINGS)[number]>, (typeof CREDENTIAL_SETTINGS)[number]>,
  signal: AbortSignal,
): Promise<OpenedCredentials> {
  const { gateway: url, apiKey, path, databaseUrl } = settings;
  // Whoever has the database needs no key yet: that is how the first admin key of an operator is made.
  if (url !== undefined && (apiKey !== undefined || (path === undefined && databaseUrl === undefined))) {
    if (apiKey === undefined)
      throw new AshlarError("INVALID_ARGUMENT", "managing API keys needs one of role admin: set ASHLAR_API_KEY");
    const client = createCredentialClient({ url, apiKey });
    return {
      createApiKey: (request) => client.createApiKey(request, { signal }),
      async listApiKeys() {
        const keys: ApiKeyInfo[] = [];
        for await (const key of client.listApiKeys({ signal })) keys.push(key);
        return keys;
      },
      deleteApiKey: (keyId) => client.deleteApiKey(keyId, { signal }),
      async [Symbol.asyncDispose]() {},
    };
  }
  const opened = await openExistingMetadata({ path, databaseUrl });
  const { metadata } = opened;
  return {
    async createApiKey(request) {
      const { apiKey: made, record } = await createApiKey({ ...request, metadata, random: systemRandom, signal });
      return { ...shown(record), apiKey: made };
    },
    listApiKeys: async () => (await metadata.listApiKeys()).map(shown),
    deleteApiKey: (keyId) => metadata.deleteApiKey(keyId),
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}
