import { AshlarError } from "@ashlar/sdk/errors";
import { type ApiKeyRole, systemRandom } from "@ashlar/sdk/ports";
import { createApiKey } from "../../gateway/index.ts";
import { type CommandCall, defineCommand, textArgument } from "../command.ts";
import { formatTable, formatTime } from "../format.ts";
import { openExistingMetadata } from "../servers/open-metadata.ts";

const STORE_SETTINGS = ["path", "databaseUrl", "json", "debug"] as const;
const CREATE_SETTINGS = [...STORE_SETTINGS, "keyName", "keyRole"] as const;

export const keyCreateCommand = defineCommand({
  name: "key create",
  summary: "make an API key; it is shown once, only its digest is kept",
  arguments: [],
  settings: CREATE_SETTINGS,
  examples: ["key create --path .ashlar --name ci --role readonly"],
  async run({ settings, output }: CommandCall<(typeof CREATE_SETTINGS)[number]>) {
    await using opened = await openExistingMetadata(settings);
    const role = settings.keyRole as ApiKeyRole;
    const { apiKey, record } = await createApiKey({
      metadata: opened.metadata,
      random: systemRandom,
      name: settings.keyName,
      role,
    });
    const { keyId, name, createdAtMs } = record;
    await output.result({ apiKey, keyId, name, role, createdAtMs }, apiKey);
    output.note(`role ${role}; keep it, it cannot be shown again`);
    return 0;
  },
});

export const keyLsCommand = defineCommand({
  name: "key ls",
  summary: "list API keys, without their secrets",
  arguments: [],
  settings: STORE_SETTINGS,
  examples: ["key ls --path .ashlar"],
  async run({ settings, output }: CommandCall<(typeof STORE_SETTINGS)[number]>) {
    await using opened = await openExistingMetadata(settings);
    const keys = await opened.metadata.listApiKeys();
    if (!output.json) {
      const rows = keys.map((key) => [key.keyId, key.role, formatTime(key.createdAtMs), key.name]);
      await output.result(undefined, formatTable([["id", "role", "created", "name"], ...rows]));
      return 0;
    }
    for (const { keyId, role, name, createdAtMs } of keys) await output.result({ keyId, role, name, createdAtMs }, "");
    return 0;
  },
});

export const keyRmCommand = defineCommand({
  name: "key rm",
  summary: "delete an API key; running gateways believe it for up to 30 s more",
  arguments: [{ name: "<id>", help: "the key's id, the part between the two underscores; a whole key is taken too" }],
  settings: STORE_SETTINGS,
  examples: ["key rm 0011223344556677 --path .ashlar"],
  async run(call: CommandCall<(typeof STORE_SETTINGS)[number]>) {
    const text = textArgument(call, 0);
    // Whoever pastes the whole key means its id; the secret goes nowhere.
    const keyId = text.match(/^ashlar_([^_]+)_/)?.[1] ?? text;
    await using opened = await openExistingMetadata(call.settings);
    if (!(await opened.metadata.deleteApiKey(keyId))) {
      throw new AshlarError("INVALID_ARGUMENT", `no API key has the id ${keyId}; see key ls`);
    }
    await call.output.result({ keyId, deleted: true }, `deleted ${keyId}`);
    return 0;
  },
});
