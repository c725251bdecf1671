import type { ListEntry } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { visibleText } from "../../observability/control-characters.ts";
import { formatBytes, formatTime } from "../../observability/format.ts";
import { writeAll } from "../cli-io.ts";
import { type CommandCall, defineCommand, optionalArgument } from "../command.ts";
import { parseAddress } from "../object-address.ts";
import { openClient, SEAT_SETTINGS } from "../open-client.ts";

const SETTINGS = [...SEAT_SETTINGS, "recursive", "nullEnded", "limit", "timeoutMs", "json", "debug"] as const;
const SIZE_WIDTH = 10;
const TIME_WIDTH = 19;

type Call = CommandCall<(typeof SETTINGS)[number]>;

export const lsCommand = defineCommand({
  name: "ls",
  summary: "list buckets, or the contents of one",
  arguments: [{ name: "[prefix]", help: "bucket, bucket/ or bucket/prefix; default: all buckets" }],
  settings: SETTINGS,
  examples: ["ls", "ls photos/2026/", "ls -r photos --json", "ls -r --null photos | xargs -0 -n 1 ashlar head"],
  async run(call: Call) {
    const prefix = optionalArgument(call, 0);
    if (prefix === undefined || prefix === "") await listBuckets(call);
    else await listObjects(call, prefix);
    return 0;
  },
});

async function listBuckets({ settings, signal, output }: Call): Promise<void> {
  await using client = await openClient(settings);
  const buckets = await client.listBuckets({ signal, timeoutMs: settings.timeoutMs });
  for (const bucket of buckets.slice(0, settings.limit)) {
    await output.result({ type: "bucket", ...bucket }, `${formatTime(bucket.createdAtMs)}  ${bucket.bucket}`);
  }
  if (buckets.length === 0) output.note("no buckets yet; make one with mb");
}

async function listObjects(call: Call, address: string): Promise<void> {
  const { settings, signal, output } = call;
  const { bucket, key: prefix } = parseAddress(address);
  await using client = await openClient(settings);
  const entries = client.listObjects({
    bucket,
    prefix,
    delimiter: settings.recursive ? undefined : "/",
    timeoutMs: settings.timeoutMs,
    signal,
  });
  let count = 0;
  for await (const entry of entries) {
    await printEntry(call, bucket, entry);
    if (++count === settings.limit) return;
  }
  if (count === 0)
    output.note(prefix === "" ? `${bucket} is empty` : `nothing in ${bucket} begins with ${visibleText(prefix)}`);
}

async function printEntry({ settings, io, output }: Call, bucket: string, entry: ListEntry): Promise<void> {
  const name = entry.type === "prefix" ? entry.prefix : entry.key;
  if (settings.nullEnded) {
    if (!name.includes("\0")) return await writeAll(io.stdout, `${bucket}/${name}\0`);
    throw new AshlarError("UNSUPPORTED", "a key contains NUL, which --null cannot show: use --json");
  }
  const columns =
    entry.type === "prefix"
      ? [" ".repeat(TIME_WIDTH), " ".repeat(SIZE_WIDTH)]
      : [formatTime(entry.createdAtMs), formatBytes(entry.sizeBytes).padStart(SIZE_WIDTH)];
  await output.result(entry, [...columns, visibleText(name)].join("  "));
}
