import type { IncomingMessage, ServerResponse } from "node:http";
import { sha256Sync } from "@ashlar/sdk/hash";
import { MIB } from "@ashlar/sdk/limits";
import type { ChunkStore, Transport } from "@ashlar/sdk/ports";
import { afterEach, expect, test } from "vitest";
import { startHttpServer, type TestServer } from "./testing/chunk-server.ts";
import { undiciTransport } from "./undici.ts";

const bytes = new Uint8Array(3 * MIB + 1).map((_, index) => index * 7 + (index >> 9));
const chunkId = sha256Sync(bytes);

let server: TestServer | undefined;
let transport: Transport | undefined;

async function open(listener: (request: IncomingMessage, response: ServerResponse) => unknown): Promise<ChunkStore> {
  server = await startHttpServer((request, response) => void listener(request, response));
  transport = undiciTransport();
  return transport.openChunkStore({ url: server.url });
}

afterEach(async () => {
  await transport?.close();
  await server?.close();
});

test.each([true, false])("puts a chunk with its length in a header (progress: %s)", async (withProgress) => {
  const store = await open(async (request, response) => {
    const slices: Buffer[] = [];
    for await (const slice of request) slices.push(slice as Buffer);
    const { authorization, "content-length": length, "transfer-encoding": chunked } = request.headers;
    const ok = Buffer.concat(slices).equals(bytes) && length === String(bytes.length) && chunked === undefined;
    response
      .writeHead(ok ? 201 : 500)
      .end(JSON.stringify({ sizeBytes: length, receipt: `${request.method} ${authorization}` }));
  });
  const seen: number[] = [];
  const options = withProgress ? { grant: "g", onProgress: (sent: number) => seen.push(sent) } : { grant: "g" };
  const put = await store.putChunk(chunkId, bytes, options);
  expect(put).toEqual({ sizeBytes: bytes.length, alreadyPresent: false, receipt: "PUT Bearer g" });
  if (!withProgress) return;
  expect(seen.length).toBeGreaterThanOrEqual(13);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(seen.at(-1)).toBe(bytes.length);
});

test("gets a range, also where a proxy ignores the range that was asked for", async () => {
  const asked: unknown[] = [];
  const store = await open((request, response) => {
    asked.push(request.headers.range);
    if (asked.length > 1) response.writeHead(200).end(bytes);
    else response.writeHead(206).end(bytes.subarray(10, 15));
  });
  expect(await store.getChunk(chunkId, { offset: 10, length: 5 })).toEqual(bytes.slice(10, 15));
  expect(await store.getChunk(chunkId, { offset: 10, length: 5 })).toEqual(bytes.slice(10, 15));
  expect(await store.getChunk(chunkId, { offset: 10 })).toEqual(bytes.slice(10));
  expect(asked).toEqual(["bytes=10-14", "bytes=10-14", "bytes=10-"]);
});

test("a refusal arrives although most of the body was never read", async () => {
  const store = await open((request, response) => {
    request.resume();
    const body = { code: "PERMISSION_DENIED", detail: "no" };
    response.writeHead(403, { "content-type": "application/problem+json" }).end(JSON.stringify(body));
  });
  await expect(store.putChunk(chunkId, bytes, { onProgress: () => {} })).rejects.toMatchObject({
    code: "PERMISSION_DENIED",
  });
});

test("an answer that is cut short is NODE_UNAVAILABLE, never short bytes", async () => {
  const store = await open((_request, response) => {
    response.writeHead(200, { "content-length": bytes.length });
    response.write(bytes.subarray(0, 100_000), () => response.destroy());
  });
  await expect(store.getChunk(chunkId)).rejects.toMatchObject({ code: "NODE_UNAVAILABLE" });
});

test("https:// to a port without TLS is NODE_UNAVAILABLE, and says what to do", async () => {
  server = await startHttpServer((_request, response) => response.end());
  transport = undiciTransport();
  const store = transport.openChunkStore({ url: server.url.replace("http:", "https:") });
  await expect(store.getChunk(chunkId)).rejects.toMatchObject({
    code: "NODE_UNAVAILABLE",
    message: expect.stringContaining("use http://"),
  });
});

test("an upload that is cut off is NODE_UNAVAILABLE", async () => {
  const store = await open((request) => {
    request.once("data", () => request.socket.destroy());
  });
  await expect(store.putChunk(chunkId, bytes)).rejects.toMatchObject({ code: "NODE_UNAVAILABLE" });
});

test("an address where nobody listens is NODE_UNAVAILABLE", async () => {
  const store = await open(() => {});
  await server?.close();
  await expect(store.stats()).rejects.toMatchObject({
    code: "NODE_UNAVAILABLE",
    message: expect.stringContaining(server?.url ?? ""),
    details: { url: server?.url, reason: "ECONNREFUSED" },
  });
});

test("an unknown host name has another reason than an address where nobody listens", async () => {
  transport = undiciTransport();
  const store = transport.openChunkStore({ url: "http://no-such-host.invalid:9000" });
  await expect(store.stats()).rejects.toMatchObject({
    code: "NODE_UNAVAILABLE",
    details: { url: "http://no-such-host.invalid:9000", reason: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/) },
  });
});

test("an abort and a deadline end a stalled call and give its connection up", async () => {
  const store = await open((_request, response) => {
    response.writeHead(200, { "content-length": bytes.length });
    response.write(bytes.subarray(0, 1000));
  });
  const controller = new AbortController();
  const call = store.getChunk(chunkId, { signal: controller.signal });
  await new Promise((resolve) => setTimeout(resolve, 50));
  controller.abort();
  await expect(call).rejects.toMatchObject({ code: "CANCELED" });
  await expect(store.getChunk(chunkId, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({
    code: "DEADLINE_EXCEEDED",
  });
  await expect.poll(() => server?.connectionCount()).toBe(0);
});

test("connections are kept and reused, and closed with the transport", async () => {
  let connections = 0;
  const store = await open((request, response) => {
    if (!(request.socket as { seen?: boolean }).seen) connections++;
    (request.socket as { seen?: boolean }).seen = true;
    request.resume().once("end", () => response.writeHead(200).end("{}"));
  });
  for (let index = 0; index < 50; index++) await store.stats();
  // undici may open a second one while the first has not quite finished its answer.
  expect(connections).toBeLessThanOrEqual(2);
  await transport?.close();
  await expect.poll(() => server?.connectionCount()).toBe(0);
  await expect(store.stats()).rejects.toMatchObject({ code: "STORE_CLOSED" });
});

test("redirects are not followed: a bearer must not go elsewhere", async () => {
  const store = await open((_request, response) => response.writeHead(307, { location: "http://127.0.0.1:1/" }).end());
  await expect(store.stats()).rejects.toMatchObject({ code: "INTERNAL" });
});

test("a JSON answer beyond the control limit is refused before it fills the memory", async () => {
  const store = await open((_request, response) => {
    response.writeHead(200);
    const more = (): void => void response.write(Buffer.alloc(MIB), () => !response.destroyed && more());
    more();
  });
  await expect(store.stats()).rejects.toMatchObject({ code: "OBJECT_TOO_LARGE" });
});
