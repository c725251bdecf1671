import type { ByteRange, GetObjectResult } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { fileError } from "../../files/file-error.ts";
import { visibleText } from "../../observability/control-characters.ts";
import { formatBytes, formatRate } from "../../observability/format.ts";
import { closedStream, jsonText, STANDARD_OUTPUT, writeAll } from "../cli-io.ts";
import { type CommandCall, defineCommand, optionalArgument, textArgument } from "../command.ts";
import { type LocalTarget, localTarget, writeTarget } from "../local-target.ts";
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
      help: "file or folder to write to; - for standard output; default: the key's last part, in this folder. If you name a symbolic link, the file behind it is written",
    },
  ],
  settings: SETTINGS,
  examples: ["get photos/2026/cat.jpg", "get photos/2026/cat.jpg - --range 0-1023 | xxd"],
  async run(call: CommandCall<(typeof SETTINGS)[number]>) {
    const address = parseObjectAddress(textArgument(call, 0));
    const target = await localTarget(optionalArgument(call, 1), address.key);
    const { settings, signal, io, output } = call;
    if (target.file === "-" && io.closed?.stdout)
      throw closedStream(STANDARD_OUTPUT, "to read the object and discard it, give the file /dev/null");
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
      if (target.file === "-") for await (const slice of object) await writeAll(io.stdout, slice);
      else await writeTarget(target, object);
      progress.end();
      await report(call, object, { target, seconds: progress.seconds() });
      return 0;
    } catch (error) {
      throw fileError(error, target.file === "-" ? STANDARD_OUTPUT : target.file);
    } finally {
      progress.end();
    }
  },
});

async function report(
  { io, output, settings }: CommandCall<(typeof SETTINGS)[number]>,
  object: GetObjectResult,
  { target: { file }, seconds }: { readonly target: LocalTarget; readonly seconds: number },
): Promise<void> {
  const { length } = object;
  // The methods that read the bytes are not part of the JSON.
  const line = jsonText({ ...object, file, seconds });
  // With `-`, standard output carries the object's bytes.
  if (output.json) await writeAll(file === "-" ? io.stderr : io.stdout, `${line}\n`);
  else if (file !== "-" && !settings.quiet) {
    await writeAll(io.stdout, `${visibleText(file)}  ${formatBytes(length)}  ${formatRate(length, seconds)}\n`);
  }
}

/** Reads `first-last` (both included), `first-` and `-count`. @throws {AshlarError} INVALID_ARGUMENT. */
export function parseByteRange(text: string): ByteRange {
  const [, first = "", last = ""] = text.match(/^(\d*)-(\d*)$/) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (first === "" && last !== "" && to > 0) return { offset: -to };
  if (first !== "" && last === "") return { offset: from };
  if (first !== "" && last !== "" && to >= from) return { offset: from, length: to - from + 1 };
  throw new AshlarError("INVALID_ARGUMENT", `a range is 0-1023, 1024- or -500, not "${text}"`);
}
