import { existsSync } from "node:fs";
import { AshlarError } from "@ashlar/sdk/errors";
import { visibleText } from "../../observability/control-characters.ts";
import { formatBytes } from "../../observability/format.ts";
import { type CommandCall, defineCommand, textArgument } from "../command.ts";
import { parseObjectAddress, targetAddress } from "../object-address.ts";
import { openClient, SEAT_SETTINGS } from "../open-client.ts";

const SETTINGS = [...SEAT_SETTINGS, "ifMatch", "ifNoneMatch", "timeoutMs", "quiet", "json", "debug"] as const;

export const cpCommand = defineCommand({
  name: "cp",
  summary: "copy an object within the store; no bytes move",
  arguments: [
    { name: "<source>", help: "bucket/key" },
    { name: "<target>", help: "bucket/key; to a key that is missing or ends with /, the source's last part is added" },
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
    const target = targetAddress(textArgument(call, 1), source);
    await using client = await openClient(settings);
    const copy = await client.copyObject({
      sourceBucket: source.bucket,
      sourceKey: source.key,
      ...target,
      ifMatch: settings.ifMatch,
      ifNoneMatch: settings.ifNoneMatch,
      timeoutMs: settings.timeoutMs,
      signal,
    });
    if (output.json || !settings.quiet) {
      await output.result(copy, `${visibleText(`${copy.bucket}/${copy.key}`)}  ${formatBytes(copy.sizeBytes)}`);
    }
    return 0;
  },
});
