import { AshlarError } from "@ashlar/sdk/errors";
import { visibleText } from "../../observability/control-characters.ts";
import { formatBytes } from "../../observability/format.ts";
import { type CommandCall, defineCommand, textArgument } from "../command.ts";
import { parseObjectAddress, targetAddress } from "../object-address.ts";
import { openClient, SEAT_SETTINGS } from "../open-client.ts";

const SETTINGS = [...SEAT_SETTINGS, "ifMatch", "ifNoneMatch", "timeoutMs", "quiet", "json", "debug"] as const;

export const mvCommand = defineCommand({
  name: "mv",
  summary: "give an object another name within the store; no bytes move",
  arguments: [
    { name: "<source>", help: "bucket/key" },
    { name: "<target>", help: "bucket/key; to a key that is missing or ends with /, the source's last part is added" },
  ],
  settings: SETTINGS,
  examples: ["mv photos/cat.jpg archive/2026/", "mv photos/a photos/b --if-none-match '*'"],
  async run(call: CommandCall<(typeof SETTINGS)[number]>) {
    const { settings, signal, output } = call;
    const source = parseObjectAddress(textArgument(call, 0));
    const target = targetAddress(textArgument(call, 1), source);
    if (source.bucket === target.bucket && source.key === target.key) {
      throw new AshlarError("INVALID_ARGUMENT", "source and target are the same object");
    }
    const options = { signal, timeoutMs: settings.timeoutMs };
    await using client = await openClient(settings);
    const moved = await client.moveObject({
      ...{ sourceBucket: source.bucket, sourceKey: source.key },
      ...target,
      ...{ ifMatch: settings.ifMatch, ifNoneMatch: settings.ifNoneMatch },
      ...options,
    });
    if (output.json || !settings.quiet) {
      await output.result(moved, `${visibleText(`${moved.bucket}/${moved.key}`)}  ${formatBytes(moved.sizeBytes)}`);
    }
    return 0;
  },
});
