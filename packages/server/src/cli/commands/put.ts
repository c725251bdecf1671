import { basename } from "node:path";
import { fixed, type ObjectClient } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { fileError } from "../../files/file-error.ts";
import { visibleText } from "../../observability/control-characters.ts";
import { formatBytes, formatCount, formatRate } from "../../observability/format.ts";
import { type CommandCall, defineCommand, textArgument } from "../command.ts";
import { type LocalSource, openSource, type SourceChange } from "../local-source.ts";
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

export const putCommand = defineCommand({
  name: "put",
  summary: "write a file, or standard input, as an object",
  arguments: [
    { name: "<file>", help: "file to read; - for standard input" },
    { name: "<object>", help: "bucket/key; to a key that is missing or ends with /, the file's name is added" },
  ],
  settings: SETTINGS,
  examples: ["put cat.jpg photos/2026/cat.jpg --gateway http://127.0.0.1:9000", "put - backups/db.sql < dump.sql"],
  async run(call: CommandCall<(typeof SETTINGS)[number]>) {
    const file = textArgument(call, 0);
    const target = targetOf(file, textArgument(call, 1));
    await using source = await openSource(file, call.io, call.signal);
    const { createBucket } = call.settings;
    await using client = await (createBucket ? openOrMakeClient : openClient)(call.settings);
    if (createBucket) await client.createBucket({ bucket: target.bucket, ifMissing: true, signal: call.signal });
    await upload(call, client, { file, target, source });
    return 0;
  },
});

interface Upload {
  readonly file: string;
  readonly target: Address;
  readonly source: LocalSource;
}

async function upload(
  call: CommandCall<(typeof SETTINGS)[number]>,
  client: ObjectClient,
  { file, target, source }: Upload,
): Promise<void> {
  const { settings, signal, io, output } = call;
  const shown = !output.json && !settings.quiet;
  const progress = createProgress(io.stderr, { label: target.key, shown });
  try {
    const put = await client.putObject({
      ...target,
      body: source.body,
      sizeBytes: source.sizeBytes,
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
    const text = `${visibleText(`${target.bucket}/${target.key}`)}  ${formatBytes(put.sizeBytes)}  ${formatRate(put.sizeBytes, seconds)}  ${chunks}, ${copies}, ${put.durability}${known}`;
    const fileChange = await source.change();
    if (output.json || shown) await output.result({ ...put, seconds, fileChange }, text);
    if (fileChange !== undefined) output.note(`${visibleText(file)} ${CHANGES[fileChange]}`);
  } catch (error) {
    // The body had fewer bytes than were declared.
    const isShort = AshlarError.is(error, "INVALID_ARGUMENT") && (await source.change()) === "shrank";
    if (!isShort) throw fileError(error, file);
    const message = `${file} became shorter while it was read; nothing is stored`;
    throw new AshlarError("INVALID_ARGUMENT", message, { cause: error, details: { file } });
  } finally {
    progress.end();
  }
}

/** Warnings for the user: the object may not be what the user wanted to store. */
const CHANGES: Readonly<Record<SourceChange, string>> = {
  grew: "grew while it was read: what was there at the start is stored",
  shrank: "became shorter just after it was read",
  changed: "was written to while it was read: what is stored may be neither the old nor the new content",
};

function targetOf(file: string, text: string): Address {
  const { bucket, key } = parseAddress(text);
  if (key !== "" && !key.endsWith("/")) return { bucket, key };
  if (file === "-") throw new AshlarError("INVALID_ARGUMENT", "standard input has no name: give bucket/key");
  return { bucket, key: `${key}${basename(file)}` };
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

const TYPES: Readonly<Record<string, string>> = {
  avif: "image/avif",
  bmp: "image/bmp",
  css: "text/css; charset=utf-8",
  csv: "text/csv; charset=utf-8",
  gif: "image/gif",
  gz: "application/gzip",
  htm: "text/html; charset=utf-8",
  html: "text/html; charset=utf-8",
  ico: "image/x-icon",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  m4a: "audio/mp4",
  md: "text/markdown; charset=utf-8",
  mjs: "text/javascript; charset=utf-8",
  mov: "video/quicktime",
  mp3: "audio/mpeg",
  mp4: "video/mp4",
  ogg: "audio/ogg",
  parquet: "application/vnd.apache.parquet",
  pdf: "application/pdf",
  png: "image/png",
  svg: "image/svg+xml",
  tar: "application/x-tar",
  tif: "image/tiff",
  tiff: "image/tiff",
  toml: "application/toml",
  ttf: "font/ttf",
  txt: "text/plain; charset=utf-8",
  wasm: "application/wasm",
  wav: "audio/wav",
  webm: "video/webm",
  webp: "image/webp",
  woff: "font/woff",
  woff2: "font/woff2",
  xml: "application/xml",
  yaml: "application/yaml",
  yml: "application/yaml",
  zip: "application/zip",
  zst: "application/zstd",
};

/** The media type for a file name's extension; `undefined` if the extension is not a common one. */
export function contentTypeOf(name: string): string | undefined {
  const extension = name.match(/\.([A-Za-z0-9]+)$/)?.[1]?.toLowerCase() ?? "";
  return Object.hasOwn(TYPES, extension) ? TYPES[extension] : undefined;
}
