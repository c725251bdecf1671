import { formatCount } from "../../observability/format.ts";
import { confirm } from "../cli-io.ts";
import { type CommandCall, defineCommand, textArgument } from "../command.ts";
import { parseBucketName } from "../object-address.ts";
import { openClient, openOrMakeClient, SEAT_SETTINGS } from "../open-client.ts";
import {
  abortUploads,
  type ContentsOptions,
  countContents,
  countUploads,
  describeContents,
  removeObjects,
  showDeleted,
} from "../remove-contents.ts";

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

const REMOVE_SETTINGS = [...SETTINGS, "withContents", "yes"] as const;

type RemoveCall = CommandCall<(typeof REMOVE_SETTINGS)[number]>;

export const rbCommand = defineCommand({
  name: "rb",
  summary: "remove an empty bucket; with --force, a bucket and everything in it",
  arguments: [{ name: "<bucket>", help: "its name" }],
  settings: REMOVE_SETTINGS,
  examples: ["rb photos", "rb photos --force --yes"],
  async run(call: RemoveCall) {
    const { settings, signal, output } = call;
    const { timeoutMs } = settings;
    const bucket = parseBucketName(textArgument(call, 0));
    await using client = await openClient(settings);
    const removed = settings.withContents
      ? await removeContents(call, { client, bucket, prefix: "", signal, timeoutMs })
      : undefined;
    await client.deleteBucket({ bucket, signal, timeoutMs });
    if (!output.json && settings.quiet) return 0;
    const { objectCount = 0, uploadCount = 0 } = removed ?? {};
    const contents = objectCount + uploadCount === 0 ? "" : ` with ${describe(objectCount, uploadCount)}`;
    await output.result({ bucket, deleted: true, ...removed }, `removed ${bucket}${contents}`);
    return 0;
  },
});

/** Asks, then empties the bucket: objects first, because users know of them. Anything written meanwhile makes the removal of the bucket fail. */
async function removeContents(
  call: RemoveCall,
  contents: ContentsOptions,
): Promise<{ readonly objectCount: number; readonly uploadCount: number }> {
  const { io, output, settings } = call;
  const counted = await countContents(contents);
  const uploads = await countUploads(contents);
  if (counted.objectCount + uploads > 0) {
    const what = uploads === 0 ? "" : ` and ${formatCount(uploads, "unfinished upload")}`;
    await confirm(call, `delete ${describeContents(counted)}${what} with the bucket ${contents.bucket}`);
  }
  const display = showDeleted(io.stderr, !output.json && !settings.quiet);
  try {
    const objectCount = await removeObjects(contents, (count) => display.show(count));
    return { objectCount, uploadCount: await abortUploads(contents) };
  } finally {
    display.end();
  }
}

function describe(objectCount: number, uploadCount: number): string {
  const uploads = uploadCount === 0 ? "" : ` and ${formatCount(uploadCount, "unfinished upload")}`;
  return `${formatCount(objectCount, "object")}${uploads}`;
}
