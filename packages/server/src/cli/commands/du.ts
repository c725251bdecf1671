import type { ObjectClient } from "@ashlar/sdk";
import { visibleText } from "../../observability/control-characters.ts";
import { formatBytes, formatCount } from "../../observability/format.ts";
import { type CommandCall, defineCommand, optionalArgument } from "../command.ts";
import { folderPrefix, parseAddress } from "../object-address.ts";
import { openClient, SEAT_SETTINGS } from "../open-client.ts";

const SETTINGS = [...SEAT_SETTINGS, "summarize", "timeoutMs", "json", "debug"] as const;
const SIZE_WIDTH = 10;
const COUNT_WIDTH = 16;

type Call = CommandCall<(typeof SETTINGS)[number]>;

/** A number of objects, and the total size of their bodies. */
interface Usage {
  objectCount: number;
  sizeBytes: number;
}

export const duCommand = defineCommand({
  name: "du",
  summary: "count objects and bytes: of each bucket, or of each folder in a bucket, and in all",
  arguments: [{ name: "[folder]", help: "bucket or bucket/folder; default: all buckets" }],
  settings: SETTINGS,
  examples: ["du", "du photos", "du photos/2026 --summarize"],
  async run(call: Call) {
    const { settings, signal } = call;
    const argument = optionalArgument(call, 0) ?? "";
    await using client = await openClient(settings);
    const total: Usage = { objectCount: 0, sizeBytes: 0 };
    if (argument === "") {
      for (const { bucket } of await client.listBuckets({ signal, timeoutMs: settings.timeoutMs })) {
        const usage: Usage = { objectCount: 0, sizeBytes: 0 };
        for await (const { sizeBytes } of objectsOf(call, client, { bucket, prefix: "" })) add(usage, 1, sizeBytes);
        add(total, usage.objectCount, usage.sizeBytes);
        if (!settings.summarize) await print(call, { type: "bucket", bucket }, { name: bucket, usage });
      }
    } else await addFolders(call, client, { argument, total });
    await print(call, { type: "total" }, { name: argument === "" ? "in all" : argument, usage: total });
    return 0;
  },
});

/** Prints the folders directly in a bucket or folder. Objects come in the order of their keys: a folder is complete when the next begins. */
async function addFolders(
  call: Call,
  client: ObjectClient,
  { argument, total }: { readonly argument: string; readonly total: Usage },
): Promise<void> {
  const { bucket, key } = parseAddress(argument);
  const prefix = folderPrefix(key);
  let folder: string | undefined;
  let usage: Usage = { objectCount: 0, sizeBytes: 0 };
  const end = async (): Promise<void> => {
    const name = `${bucket}/${folder}`;
    if (folder !== undefined && !call.settings.summarize)
      await print(call, { type: "prefix", bucket, prefix: folder }, { name, usage });
  };
  for await (const object of objectsOf(call, client, { bucket, prefix })) {
    add(total, 1, object.sizeBytes);
    const slash = object.key.indexOf("/", prefix.length);
    const next = slash < 0 ? undefined : object.key.slice(0, slash + 1);
    if (next !== folder) {
      await end();
      folder = next;
      usage = { objectCount: 0, sizeBytes: 0 };
    }
    add(usage, 1, object.sizeBytes);
  }
  await end();
}

async function* objectsOf(
  { settings, signal }: Call,
  client: ObjectClient,
  folder: { readonly bucket: string; readonly prefix: string },
): AsyncGenerator<{ readonly key: string; readonly sizeBytes: number }> {
  for await (const entry of client.listObjects({ ...folder, signal, timeoutMs: settings.timeoutMs })) {
    if (entry.type === "object") yield entry;
  }
}

function add(usage: Usage, objectCount: number, sizeBytes: number): void {
  usage.objectCount += objectCount;
  usage.sizeBytes += sizeBytes;
}

function print(
  { output }: Call,
  value: object,
  { name, usage }: { readonly name: string; readonly usage: Usage },
): Promise<void> {
  const size = formatBytes(usage.sizeBytes).padStart(SIZE_WIDTH);
  const count = formatCount(usage.objectCount, "object").padStart(COUNT_WIDTH);
  return output.result({ ...value, ...usage }, `${size}  ${count}  ${visibleText(name)}`);
}
