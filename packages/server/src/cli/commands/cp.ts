import { existsSync } from "node:fs";
import { AshlarError } from "@ashlar/sdk/errors";
import { type CommandCall, defineCommand, textArgument } from "../command.ts";
import { formatBytes } from "../format.ts";
import { parseAddress, parseObjectAddress } from "../object-address.ts";
import { openClient, SEAT_SETTINGS } from "../open-client.ts";

const SETTINGS = [...SEAT_SETTINGS, "ifMatch", "ifNoneMatch", "timeoutMs", "quiet", "json", "debug"] as const;

export const cpCommand = defineCommand({
  name: "cp",
  summary: "copy an object within the store; no bytes move",
  arguments: [
    { name: "<source>", help: "bucket/key" },
    { name: "<target>", help: "bucket/key; a key that is missing or ends with / gets the source's last part" },
  ],
  settings: SETTINGS,
  examples: ["cp photos/cat.jpg archive/2026/"],
  async run(call: CommandCall<(typeof SETTINGS)[number]>) {
    const { settings, signal, output } = call;
    const sourceText = textArgument(call, 0);
    if (!sourceText.includes("/") && existsSync(sourceText)) {
      throw new AshlarError("INVALID_ARGUMENT", `${sourceText} is a file here; to upload it, use put`);
    }
    const source = parseObjectAddress(sourceText);
    const target = parseAddress(textArgument(call, 1));
    const isFolder = target.key === "" || target.key.endsWith("/");
    const key = isFolder ? target.key + source.key.slice(source.key.lastIndexOf("/") + 1) : target.key;
    await using client = await openClient(settings);
    const copy = await client.copyObject({
      sourceBucket: source.bucket,
      sourceKey: source.key,
      bucket: target.bucket,
      key,
      ifMatch: settings.ifMatch,
      ifNoneMatch: settings.ifNoneMatch,
      timeoutMs: settings.timeoutMs,
      signal,
    });
    if (output.json || !settings.quiet) {
      await output.result(copy, `${copy.bucket}/${copy.key}  ${formatBytes(copy.sizeBytes)}`);
    }
    return 0;
  },
});
