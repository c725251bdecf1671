/** A server process of transport-put.ts: `bare` is node:http and SHA-256 and keeps nothing, `node` a storage node with files. Prints its URL. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { MIB } from "@ashlar/sdk";
import { createStorageNode } from "@ashlar/server";

const [kind, folder, chunkBytes] = process.argv.slice(2);

if (kind === "bare") {
  const answer = Buffer.alloc(Number(chunkBytes ?? 4 * MIB), 1);
  const server = createServer((request, response) => void serveBare(request, response, answer));
  server.listen(0, "127.0.0.1", () => tell(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
} else {
  const store = await openFsChunkStore({ path: folder as string, durability: "os" });
  const options = { serverId: "node-1", store, insecure: true, hasher: nodeCryptoHasher, diskReserveBytes: 0 };
  tell((await createStorageNode(options).listen()).url);
}

async function serveBare(request: IncomingMessage, response: ServerResponse, answer: Buffer): Promise<void> {
  if (request.method === "GET") {
    response.writeHead(200, { "content-length": answer.byteLength }).end(answer);
    return;
  }
  const hash = createHash("sha256");
  for await (const piece of request) hash.update(piece as Buffer);
  response.writeHead(201).end(hash.digest("hex"));
}

function tell(url: string): void {
  process.stdout.write(`${url}\n`);
  // The parent closes our standard input when it is through with us, however it ends.
  process.stdin.resume().once("end", () => process.exit(0));
}
