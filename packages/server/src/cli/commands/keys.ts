import {
  type ApiKeyInfo,
  type ApiKeyRequest,
  type ApiKeyRole,
  type CreatedApiKey,
  createCredentialClient,
} from "@ashlar/sdk/credentials";
import { AshlarError } from "@ashlar/sdk/errors";
import { type ApiKeyRecord, systemRandom } from "@ashlar/sdk/ports";
import { createApiKey } from "../../gateway/index.ts";
import { formatTable, formatTime } from "../../observability/format.ts";
import { type CommandCall, defineCommand, textArgument } from "../command.ts";
import { openExistingMetadata } from "../servers/open-metadata.ts";
import type { Settings } from "../settings.ts";

/** Settings that say where API keys are kept. */
const CREDENTIAL_SETTINGS = ["gateway", "path", "apiKey", "databaseUrl"] as const;

const STORE_SETTINGS = [...CREDENTIAL_SETTINGS, "json", "debug"] as const;
const CREATE_SETTINGS = [...STORE_SETTINGS, "keyName", "keyRole", "keyBucket", "keyPrefix", "keyLifeMs"] as const;

export const keyCreateCommand = defineCommand({
  name: "key create",
  summary: "make an API key; it is shown once, only its digest is kept",
  arguments: [],
  settings: CREATE_SETTINGS,
  examples: [
    "key create --path .ashlar --name ci --role readonly",
    "key create --gateway https://store.example:9000 --bucket photos --prefix users/1/ --expires-in 24h",
  ],
  async run({ settings, output, signal }: CommandCall<(typeof CREATE_SETTINGS)[number]>) {
    await using credentials = await openCredentials(settings, signal);
    const { keyName: name, keyBucket: bucket, keyPrefix: prefix, keyLifeMs: expiresInMs } = settings;
    const role = settings.keyRole as ApiKeyRole;
    const made = await credentials.createApiKey({ name, role, bucket, prefix, expiresInMs });
    await output.result(jsonOf(made, { apiKey: made.apiKey }), made.apiKey);
    output.note(`role ${role}, ${reachOf(made)}, ${endOf(made)}; keep it, it cannot be shown again`);
    return 0;
  },
});

export const keyLsCommand = defineCommand({
  name: "key ls",
  summary: "list API keys, without their secrets",
  arguments: [],
  settings: STORE_SETTINGS,
  examples: ["key ls --path .ashlar", "key ls --gateway https://store.example:9000"],
  async run({ settings, output, signal }: CommandCall<(typeof STORE_SETTINGS)[number]>) {
    await using credentials = await openCredentials(settings, signal);
    const keys = await credentials.listApiKeys();
    if (!output.json) {
      const rows = keys.map((key) => [
        ...[key.keyId, key.role, reachOf(key), formatTime(key.createdAtMs)],
        ...[key.expiresAtMs === undefined ? "never" : formatTime(key.expiresAtMs), key.name],
      ]);
      await output.result(undefined, formatTable([["id", "role", "reaches", "created", "ends", "name"], ...rows]));
      return 0;
    }
    for (const key of keys) await output.result(jsonOf(key), "");
    return 0;
  },
});

export const keyRmCommand = defineCommand({
  name: "key rm",
  summary: "delete an API key; other running gateways accept it for up to 30 s more",
  arguments: [{ name: "<id>", help: "the key's id, the part between the two underscores; or the whole key" }],
  settings: STORE_SETTINGS,
  examples: ["key rm 0011223344556677 --path .ashlar"],
  async run(call: CommandCall<(typeof STORE_SETTINGS)[number]>) {
    const text = textArgument(call, 0);
    // Of a whole key only the id is used; the secret is not sent.
    const keyId = text.match(/^ashlar_([^_]+)_/)?.[1] ?? text;
    await using credentials = await openCredentials(call.settings, call.signal);
    if (!(await credentials.deleteApiKey(keyId))) {
      throw new AshlarError("INVALID_ARGUMENT", `no API key has the id ${keyId}; see key ls`);
    }
    await call.output.result({ keyId, deleted: true }, `deleted ${keyId}`);
    return 0;
  },
});

function jsonOf({ keyId, name, role, createdAtMs, scope, expiresAtMs }: ApiKeyInfo, first: object = {}): object {
  return { ...first, keyId, name, role, ...scope, createdAtMs, expiresAtMs };
}

function reachOf({ scope }: ApiKeyInfo): string {
  return scope === undefined ? "all buckets" : `${scope.bucket}/${scope.prefix}`;
}

function endOf({ expiresAtMs }: ApiKeyInfo): string {
  return expiresAtMs === undefined ? "no end" : `until ${formatTime(expiresAtMs)} UTC`;
}

/** API keys, through a gateway or straight in its database. */
interface OpenedCredentials extends AsyncDisposable {
  createApiKey(request: ApiKeyRequest): Promise<CreatedApiKey>;
  listApiKeys(): Promise<readonly ApiKeyInfo[]>;
  deleteApiKey(keyId: string): Promise<boolean>;
}

const shown = ({ secretSha256: _secretSha256, ...info }: ApiKeyRecord): ApiKeyInfo => info;

/** @throws {AshlarError} INVALID_ARGUMENT if neither a gateway nor a database is named; BUCKET_NOT_FOUND if the folder holds no store. */
async function openCredentials(
  settings: Pick<Settings<(typeof CREDENTIAL_SETTINGS)[number]>, (typeof CREDENTIAL_SETTINGS)[number]>,
  signal: AbortSignal,
): Promise<OpenedCredentials> {
  const { gateway: url, apiKey, path, databaseUrl } = settings;
  // With access to the database no API key is needed: an operator makes the first admin key in this way.
  if (url !== undefined && (apiKey !== undefined || (path === undefined && databaseUrl === undefined))) {
    if (apiKey === undefined)
      throw new AshlarError("INVALID_ARGUMENT", "to manage API keys, set ASHLAR_API_KEY to a key of role admin");
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
