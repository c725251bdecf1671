import { embedded } from "@ashlar/adapters/embedded";
import { createClient } from "@ashlar/sdk";

const path = process.argv[2] ?? "./.ashlar-quickstart";
await using client = createClient(embedded({ path }));

const photos = client.bucket("photos");
if (!(await client.listBuckets()).some(({ bucket }) => bucket === photos.name)) await photos.create();

const put = await photos.object("2026/hello.txt").put("Hello, Ashlar!\n", { contentType: "text/plain" });
console.log(`wrote ${put.sizeBytes} bytes, etag ${put.etag}, ${put.durability}`);

console.log(await photos.object("2026/hello.txt").text());
console.log(await photos.object("2026/hello.txt").slice(7, 13).text());

for await (const entry of photos.list({ delimiter: "/" }))
  console.log(entry.type === "prefix" ? entry.prefix : entry.key);
