import { type CommandCall, defineCommand, textArgument } from "../command.ts";
import { parseBucketName } from "../object-address.ts";
import { openClient, openOrMakeClient, SEAT_SETTINGS } from "../open-client.ts";

const SETTINGS = [...SEAT_SETTINGS, "timeoutMs", "quiet", "json", "debug"] as const;

type Call = CommandCall<(typeof SETTINGS)[number]>;

export const mbCommand = defineCommand({
  name: "mb",
  summary: "make a bucket",
  arguments: [{ name: "<bucket>", help: "3 to 63 of a-z, 0-9, - and ." }],
  settings: SETTINGS,
  examples: ["mb photos"],
  async run(call: Call) {
    const { settings, signal, output } = call;
    const bucket = parseBucketName(textArgument(call, 0));
    await using client = await openOrMakeClient(settings);
    const info = await client.createBucket({ bucket, signal, timeoutMs: settings.timeoutMs });
    if (output.json || !settings.quiet) await output.result(info, `made ${bucket}`);
    return 0;
  },
});

export const rbCommand = defineCommand({
  name: "rb",
  summary: "remove an empty bucket",
  arguments: [{ name: "<bucket>", help: "its name" }],
  settings: SETTINGS,
  examples: ["rb photos"],
  async run(call: Call) {
    const { settings, signal, output } = call;
    const bucket = parseBucketName(textArgument(call, 0));
    await using client = await openClient(settings);
    await client.deleteBucket({ bucket, signal, timeoutMs: settings.timeoutMs });
    if (output.json || !settings.quiet) await output.result({ bucket, deleted: true }, `removed ${bucket}`);
    return 0;
  },
});
