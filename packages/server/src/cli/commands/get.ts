import { open, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { GetObjectResult } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { parseByteRange } from "../byte-range-argument.ts";
import { writeAll } from "../cli-io.ts";
import { type CommandCall, defineCommand, optionalArgument, textArgument } from "../command.ts";
import { fileError } from "../file-error.ts";
import { formatBytes, formatRate } from "../format.ts";
import { parseObjectAddress } from "../object-address.ts";
import { openClient, SEAT_SETTINGS } from "../open-client.ts";
import { createProgress } from "../progress.ts";

const SETTINGS = [...SEAT_SETTINGS, "range", "concurrency", "timeoutMs", "quiet", "json", "debug"] as const;

export const getCommand = defineCommand({
  name: "get",
  summary: "read an object into a file, or to standard output",
  arguments: [
    { name: "<object>", help: "bucket/key" },
    {
      name: "[file]",
      help: "file or folder to write to; - for standard output; default: the key's last part, in this folder",
    },
  ],
  settings: SETTINGS,
  examples: ["get photos/2026/cat.jpg", "get photos/2026/cat.jpg - --range 0-1023 | xxd"],
  async run(call: CommandCall<(typeof SETTINGS)[number]>) {
    const address = parseObjectAddress(textArgument(call, 0));
    const file = await fileOf(optionalArgument(call, 1), address.key);
    const { settings, signal, io, output } = call;
    const shown = !output.json && !settings.quiet;
    const progress = createProgress(io.stderr, { label: address.key, shown });
    await using client = await openClient(settings);
    try {
      const object = await client.getObject({
        ...address,
        range: settings.range === undefined ? undefined : parseByteRange(settings.range),
        concurrency: settings.concurrency,
        timeoutMs: settings.timeoutMs,
        onProgress: progress.onProgress,
        signal,
      });
      if (file === "-") for await (const slice of object) await writeAll(io.stdout, slice);
      else await writeFile(file, object);
      progress.end();
      await report(call, object, { file, seconds: progress.seconds() });
      return 0;
    } catch (error) {
      throw fileError(error, file);
    } finally {
      progress.end();
    }
  },
});

async function report(
  { io, output, settings }: CommandCall<(typeof SETTINGS)[number]>,
  object: GetObjectResult,
  { file, seconds }: { readonly file: string; readonly seconds: number },
): Promise<void> {
  const { length } = object;
  // What reads the bytes are functions, and JSON has none.
  const line = JSON.stringify({ ...object, file, seconds });
  // Standard output is taken by the bytes then.
  if (output.json) await writeAll(file === "-" ? io.stderr : io.stdout, `${line}\n`);
  else if (file !== "-" && !settings.quiet) {
    await writeAll(io.stdout, `${file}  ${formatBytes(length)}  ${formatRate(length, seconds)}\n`);
  }
}

async function fileOf(argument: string | undefined, key: string): Promise<string> {
  if (argument === "-") return "-";
  const name = basename(key);
  const isUsable = name !== "" && name !== "." && name !== ".." && !name.includes("\0");
  const folder = argument === undefined ? "." : await folderOf(argument);
  if (folder === undefined) return argument ?? name;
  if (isUsable) return join(folder, name);
  throw new AshlarError("INVALID_ARGUMENT", `no file can be called "${name}": say where to write to`);
}

async function folderOf(path: string): Promise<string | undefined> {
  const isFolder = path.endsWith("/") || (await stat(path).catch(() => undefined))?.isDirectory() === true;
  return isFolder ? path : undefined;
}

/** Whole or not at all: under another name until the last byte is there. A device or a pipe is written as it is. */
async function writeFile(file: string, object: AsyncIterable<Uint8Array>): Promise<void> {
  const existing = await stat(file).catch(() => undefined);
  const isSpecial = existing !== undefined && !existing.isFile();
  const target = isSpecial ? file : `${file}.ashlar-${process.pid}`;
  const handle = await open(target, isSpecial ? "w" : "wx");
  try {
    for await (const slice of object) await handle.writeFile(slice);
    await handle.close();
    if (!isSpecial) await rename(target, file);
  } catch (error) {
    await handle.close();
    if (!isSpecial) await rm(target, { force: true });
    throw error;
  }
}
