import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { fixed, type ObjectClient } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { type CommandCall, defineCommand, textArgument } from "../command.ts";
import { contentTypeOf } from "../content-type.ts";
import { fileError } from "../file-error.ts";
import { formatBytes, formatCount, formatRate } from "../format.ts";
import { type Address, parseAddress } from "../object-address.ts";
import { openClient, openOrMakeClient, SEAT_SETTINGS } from "../open-client.ts";
import { createProgress } from "../progress.ts";

const SETTINGS = [
  ...SEAT_SETTINGS,
  "chunkBytes",
  "durability",
  "contentType",
  "cacheControl",
  "metadata",
  "ifMatch",
  "ifNoneMatch",
  "createBucket",
  "concurrency",
  "timeoutMs",
  "quiet",
  "json",
  "debug",
] as const;

/** What fits a reading of one file well: large enough that syscalls do not count. */
const READ_BYTES = 1024 * 1024;

export const putCommand = defineCommand({
  name: "put",
  summary: "write a file, or standard input, as an object",
  arguments: [
    { name: "<file>", help: "file to read; - for standard input" },
    { name: "<object>", help: "bucket/key; a key that is missing or ends with / gets the file's name" },
  ],
  settings: SETTINGS,
  examples: ["put cat.jpg photos/2026/cat.jpg --gateway http://127.0.0.1:9000", "put - backups/db.sql < dump.sql"],
  async run(call: CommandCall<(typeof SETTINGS)[number]>) {
    const file = textArgument(call, 0);
    const target = targetOf(file, textArgument(call, 1));
    const sizeBytes = file === "-" ? undefined : await sizeOf(file);
    const { createBucket } = call.settings;
    await using client = await (createBucket ? openOrMakeClient : openClient)(call.settings);
    if (createBucket) await client.createBucket({ bucket: target.bucket, ifMissing: true, signal: call.signal });
    await upload(call, client, { file, target, sizeBytes });
    return 0;
  },
});

interface Upload {
  readonly file: string;
  readonly target: Address;
  readonly sizeBytes: number | undefined;
}

async function upload(
  call: CommandCall<(typeof SETTINGS)[number]>,
  client: ObjectClient,
  { file, target, sizeBytes }: Upload,
): Promise<void> {
  const { settings, signal, io, output } = call;
  const shown = !output.json && !settings.quiet;
  const progress = createProgress(io.stderr, { label: target.key, shown });
  const body = file === "-" ? io.stdin : createReadStream(file, { highWaterMark: READ_BYTES });
  try {
    const put = await client.putObject({
      ...target,
      body,
      sizeBytes,
      contentType: settings.contentType ?? contentTypeOf(file) ?? contentTypeOf(target.key),
      cacheControl: settings.cacheControl,
      metadata: parseMetadata(settings.metadata),
      ifMatch: settings.ifMatch,
      ifNoneMatch: settings.ifNoneMatch,
      durability: settings.durability as "strict" | "batched" | "os" | undefined,
      chunker: fixed(settings.chunkBytes),
      concurrency: settings.concurrency,
      timeoutMs: settings.timeoutMs,
      onProgress: progress.onProgress,
      signal,
    });
    progress.end();
    const seconds = progress.seconds();
    const chunks = put.chunkCount === 0 ? "inline" : formatCount(put.chunkCount, "chunk");
    const known = put.deduplicatedBytes === 0 ? "" : `, ${formatBytes(put.deduplicatedBytes)} were there already`;
    const copies = put.replicas === 1 ? "1 copy" : `${put.replicas} copies`;
    const text = `${target.bucket}/${target.key}  ${formatBytes(put.sizeBytes)}  ${formatRate(put.sizeBytes, seconds)}  ${chunks}, ${copies}, ${put.durability}${known}`;
    if (output.json || shown) await output.result({ ...put, seconds }, text);
  } catch (error) {
    throw fileError(error, file);
  } finally {
    progress.end();
    if (body !== io.stdin) body.destroy();
  }
}

function targetOf(file: string, text: string): Address {
  const { bucket, key } = parseAddress(text);
  if (key !== "" && !key.endsWith("/")) return { bucket, key };
  if (file === "-") throw new AshlarError("INVALID_ARGUMENT", "standard input has no name: give bucket/key");
  return { bucket, key: `${key}${basename(file)}` };
}

/** Size of a regular file; `undefined` for pipes and devices, whose length shows at their end. */
async function sizeOf(file: string): Promise<number | undefined> {
  const stats = await stat(file).catch((error: unknown) => {
    throw fileError(error, file);
  });
  if (stats.isDirectory()) throw new AshlarError("INVALID_ARGUMENT", `${file} is a folder; put takes one file`);
  return stats.isFile() ? stats.size : undefined;
}

function parseMetadata(entries: readonly string[]): Readonly<Record<string, string>> | undefined {
  if (entries.length === 0) return undefined;
  return Object.fromEntries(
    entries.map((entry) => {
      const [, name, value] = entry.match(/^([^=]+)=(.*)$/s) ?? [];
      if (name !== undefined && value !== undefined) return [name, value];
      throw new AshlarError("INVALID_ARGUMENT", `metadata is written name=value, not "${entry}"`);
    }),
  );
}
