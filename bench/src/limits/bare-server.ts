/** node:http and nothing else: drops the bytes of a PUT (with `sha256`: answers their digest), answers a GET with 4 MiB. Prints its URL as JSON. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const [hashing, pieceBytes] = process.argv.slice(2);
const answer = Buffer.alloc(Number(pieceBytes), 1);

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === "GET") {
    response.writeHead(200, { "content-length": answer.byteLength }).end(answer);
    return;
  }
  const hash = hashing === "sha256" ? createHash("sha256") : undefined;
  for await (const piece of request) hash?.update(piece as Buffer);
  response.writeHead(201).end(hash?.digest("hex") ?? "");
}

const server = createServer((request, response) => void serve(request, response));
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${port}` })}\n`);
});
