/** The program of `startUploadProcess`: writes an object without end, and prints how many bytes are acknowledged. */
import { embedded } from "@ashlar/adapters/embedded";
import { direct, gateway } from "@ashlar/adapters/node";
import { createClient, fixed, KIB, type Seat } from "@ashlar/sdk";
import { testBytes } from "./test-bytes.ts";

const SLICE = 256 * KIB;
const target = JSON.parse(process.argv[2] ?? "{}") as Record<
  "seat" | "path" | "url" | "apiKey" | "bucket" | "key",
  string
>;

function seatOf({ seat, path, url, apiKey }: typeof target): Seat {
  if (seat === "embedded") return embedded({ path });
  return seat === "direct" ? direct({ url, apiKey }) : gateway({ url, apiKey });
}

async function* endless(): AsyncGenerator<Uint8Array> {
  for (let offset = 0; ; offset += SLICE) {
    yield testBytes(SLICE, process.pid, offset);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

await createClient(seatOf(target)).putObject({
  bucket: target.bucket,
  key: target.key,
  body: endless(),
  chunker: fixed(SLICE),
  onProgress: ({ transferredBytes }) => process.stdout.write(`${transferredBytes}\n`),
});
