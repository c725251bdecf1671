import { embedded } from "@ashlar/adapters/embedded";
import { createClient } from "@ashlar/sdk";

const path = process.argv[2] ?? ".ashlar";
await using client = createClient(embedded({ path }));

const photos = client.bucket("photos");
await photos.create({ ifMissing: true });

const note = photos.object("2026/hello.txt"); // a handle: no I/O until asked
const put = await note.put("Hello, Ashlar!", { contentType: "text/plain" });
console.log(`wrote ${put.sizeBytes} bytes, etag ${put.etag}, ${put.durability}`);

console.log("whole:", await note.text());
console.log("part:", await note.slice(7, 13).text());

// A body may be a stream of any length; memory stays bounded.
async function* lines(): AsyncGenerator<string> {
  for (let line = 1; line <= 1_000_000; line++) yield `line ${line}\n`;
}
const big = await photos.object("2026/lines.txt").put(lines());
console.log(`streamed ${big.sizeBytes} bytes into ${big.chunkCount} chunks, sha256 ${big.sha256}`);

for await (const entry of photos.list({ prefix: "2026/" })) {
  if (entry.type === "object") console.log(entry.key, entry.sizeBytes);
}
