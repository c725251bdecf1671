import { createCredentialClient } from "@ashlar/sdk/credentials";
import { AshlarError } from "@ashlar/sdk/errors";
import { formatTime } from "../../observability/format.ts";
import { type CommandCall, defineCommand, textArgument } from "../command.ts";
import { openClient } from "../open-client.ts";

const SETTINGS = [
  "tokenBucket",
  "tokenPrefix",
  "tokenReadOnly",
  "tokenLifeMs",
  "gateway",
  "direct",
  "apiKey",
  "transport",
  "retryForMs",
  "timeoutMs",
  "json",
  "debug",
] as const;

export const tokenCreateCommand = defineCommand({
  name: "token create",
  summary:
    "make a short-lived access token for one bucket, or keys under a prefix of it; for clients that must not hold an API key",
  arguments: [],
  settings: SETTINGS,
  examples: [
    "token create --bucket photos",
    "token create --bucket photos --prefix users/1/ --read-only --expires-in 1h",
  ],
  async run({ settings, output, signal }: CommandCall<(typeof SETTINGS)[number]>) {
    const { tokenBucket: bucket, tokenPrefix: prefix, tokenReadOnly, tokenLifeMs: expiresInMs } = settings;
    if (bucket === undefined) throw new AshlarError("INVALID_ARGUMENT", "which bucket? name it with --bucket <name>");
    if (settings.gateway === undefined && settings.direct === undefined) {
      throw new AshlarError(
        "INVALID_ARGUMENT",
        "which gateway should make it? name one with --gateway <url> or ASHLAR_GATEWAY; a store in a folder needs no token",
      );
    }
    await using client = await openClient({ ...settings, path: undefined });
    const role = tokenReadOnly ? "readonly" : undefined;
    const call = { signal, timeoutMs: settings.timeoutMs };
    const { token, expiresAtMs } = await client.createAccessToken({ bucket, prefix, role, expiresInMs, ...call });
    await output.result({ token, expiresAtMs }, token);
    output.note(`valid until ${formatTime(expiresAtMs)} UTC; use it in place of an API key`);
    return 0;
  },
});

const REVOKE_SETTINGS = ["gateway", "apiKey", "json", "debug"] as const;

export const tokenRevokeCommand = defineCommand({
  name: "token revoke",
  summary: "revoke an access token before it expires; other running gateways accept it for up to 30 s more",
  arguments: [{ name: "<token>", help: "the token itself" }],
  settings: REVOKE_SETTINGS,
  examples: ["token revoke eyJraW5kIjoiYWNjZXNzIn0.pQ4"],
  async run(call: CommandCall<(typeof REVOKE_SETTINGS)[number]>) {
    const { gateway: url, apiKey } = call.settings;
    if (url === undefined || apiKey === undefined) {
      throw new AshlarError(
        "INVALID_ARGUMENT",
        "which gateway? set ASHLAR_GATEWAY or --gateway <url>, and ASHLAR_API_KEY",
      );
    }
    await createCredentialClient({ url, apiKey }).revokeAccessToken(textArgument(call, 0), { signal: call.signal });
    await call.output.result({ revoked: true }, "revoked");
    return 0;
  },
});
