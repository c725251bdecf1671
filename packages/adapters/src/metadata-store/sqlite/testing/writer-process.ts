/** A process that commits small objects until it is killed: `writer-process.ts <file> <durability> <name>`; prints each key once it is answered. */
import type { Durability } from "@ashlar/sdk/ports";
import { openSqliteMetadataStore } from "../index.ts";

const [, , path = "", durability = "strict", name = "w"] = process.argv;
const store = await openSqliteMetadataStore({ path });
const inline = new TextEncoder().encode("text");
let count = 0;

async function write(): Promise<never> {
  for (;;) {
    const key = `${name}/${String(count++).padStart(6, "0")}`;
    const size = { sizeBytes: inline.byteLength, etag: "e".repeat(32) };
    const mode = durability as Durability;
    await store.commitObject({
      bucket: "case-bucket",
      key,
      ...size,
      durability: mode,
      attributes: {},
      content: { inline },
    });
    process.stdout.write(`${key}\n`);
  }
}

await Promise.all(Array.from({ length: 8 }, write));
