import type { BucketInfo, ObjectInfo } from "@ashlar/sdk";
import { visibleText } from "../../observability/control-characters.ts";
import { formatBytes, formatTime } from "../../observability/format.ts";
import { type CommandCall, defineCommand, textArgument } from "../command.ts";
import { parseAddress } from "../object-address.ts";
import { openClient, SEAT_SETTINGS } from "../open-client.ts";

const SETTINGS = [...SEAT_SETTINGS, "timeoutMs", "json", "debug"] as const;
const LABEL_WIDTH = 20;

export const headCommand = defineCommand({
  name: "head",
  summary: "show the facts about an object or a bucket, without its bytes",
  arguments: [{ name: "<name>", help: "bucket/key, or a bucket" }],
  settings: SETTINGS,
  examples: ["head photos/2026/cat.jpg"],
  async run(call: CommandCall<(typeof SETTINGS)[number]>) {
    const { settings, signal, output } = call;
    const { bucket, key } = parseAddress(textArgument(call, 0));
    const options = { signal, timeoutMs: settings.timeoutMs };
    await using client = await openClient(settings);
    const info =
      key === ""
        ? await client.headBucket({ bucket, ...options })
        : await client.headObject({ bucket, key, ...options });
    await output.result(info, describe(info));
    return 0;
  },
});

function describe(info: ObjectInfo | BucketInfo): string {
  const rows: [string, string | undefined][] = [["bucket", info.bucket]];
  if ("key" in info) {
    rows.push(
      ["key", info.key],
      ["size", `${info.sizeBytes} bytes (${formatBytes(info.sizeBytes)})`],
      ["etag", info.etag],
    );
    rows.push(["sha256", info.sha256 ?? "not known"], ["version", info.objectVersion], ["durability", info.durability]);
  }
  rows.push(["created", `${formatTime(info.createdAtMs)} UTC`]);
  if ("key" in info) {
    const { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, expires, metadata } = info;
    const headers = { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage, expires };
    for (const [name, value] of Object.entries(headers)) rows.push([name, value]);
    for (const [name, value] of Object.entries(metadata ?? {})) rows.push([`metadata ${name}`, value]);
  }
  return rows
    .filter(([, value]) => value !== undefined && value !== "")
    .map(([label, value]) => `${visibleText(label).padEnd(LABEL_WIDTH)}${visibleText(value ?? "")}`)
    .join("\n");
}
