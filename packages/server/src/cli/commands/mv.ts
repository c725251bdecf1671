import { AshlarError } from "@ashlar/sdk/errors";
import { visibleText } from "../../observability/control-characters.ts";
import { type CommandCall, defineCommand, textArgument } from "../command.ts";
import { formatBytes } from "../format.ts";
import { parseObjectAddress, targetAddress } from "../object-address.ts";
import { openClient, SEAT_SETTINGS } from "../open-client.ts";

const SETTINGS = [...SEAT_SETTINGS, "ifMatch", "ifNoneMatch", "timeoutMs", "quiet", "json", "debug"] as const;

export const mvCommand = defineCommand({
  name: "mv",
  summary: "give an object another name within the store; no bytes move",
  arguments: [
    { name: "<source>", help: "bucket/key" },
    { name: "<target>", help: "bucket/key; a key that is missing or ends with / gets the source's last part" },
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
    const { etag } = await client.headObject({ ...source, ...options });
    const copy = await client.copyObject({
      ...{ sourceBucket: source.bucket, sourceKey: source.key, sourceIfMatch: etag },
      ...target,
      ...{ ifMatch: settings.ifMatch, ifNoneMatch: settings.ifNoneMatch },
      ...options,
    });
    // Only what was copied goes: another write of the source meanwhile stays.
    await client.deleteObject({ ...source, ifMatch: etag, ...options }).catch((cause: unknown): never => {
      if (!AshlarError.is(cause, "PRECONDITION_FAILED")) throw cause;
      const [from, to] = [source, target].map(({ bucket, key }) => `${bucket}/${key}`);
      const message = `${from} was written while it moved: the new one stays there, the one before it is now ${to}`;
      throw new AshlarError("PRECONDITION_FAILED", message, { cause, details: { ...source } });
    });
    if (output.json || !settings.quiet) {
      await output.result(copy, `${visibleText(`${copy.bucket}/${copy.key}`)}  ${formatBytes(copy.sizeBytes)}`);
    }
    return 0;
  },
});
