import { mkdtemp, readdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { AshlarError } from "@ashlar/sdk/errors";
import { type Digest, encodeHex } from "@ashlar/sdk/hash";
import { KIB, MIB } from "@ashlar/sdk/limits";
import type { StreamingChunkStore } from "@ashlar/sdk/ports";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RawAnswer, rawRequest } from "../http/testing/raw-request.ts";
import { digestOf, patternBytes, startTestNode, type TestNode } from "./testing/start-test-node.ts";

const CHUNK_MAX_BYTES = 8 * MIB;

let folder: string;
let fsNode: TestNode;
let memoryNode: TestNode;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ashlar-chunk-http-"));
  const store = await openFsChunkStore({ path: folder, durability: "os" });
  fsNode = await startTestNode(store, { chunkMaxBytes: CHUNK_MAX_BYTES });
  memoryNode = await startTestNode(createMemoryChunkStore(), { chunkMaxBytes: CHUNK_MAX_BYTES });
});

afterAll(async () => {
  await fsNode.close();
  await memoryNode.close();
  await rm(folder, { recursive: true });
});

async function pathOf(bytes: Uint8Array): Promise<string> {
  return `/chunks/${encodeHex(await digestOf(bytes))}`;
}

async function* slices(bytes: Uint8Array, sliceBytes = 50_000): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.byteLength; start += sliceBytes) yield bytes.subarray(start, start + sliceBytes);
}

/** Bytes without end. */
async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) yield new Uint8Array(64 * KIB);
}

interface Call {
  readonly grant?: string | undefined;
  readonly headers?: Record<string, string> | undefined;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array> | undefined;
}

function call(node: TestNode, method: string, path: string, { grant, headers, body }: Call = {}): Promise<RawAnswer> {
  return rawRequest(node.url, path, { method, headers: { authorization: grant ?? node.cluster, ...headers }, body });
}

function expectProblem(answer: RawAnswer, status: number, code: string): void {
  expect({ status: answer.status, code: answer.headers["ashlar-error-code"] }).toEqual({ status, code });
  expect(answer.headers["content-type"]).toBe("application/problem+json");
  const requestId = answer.headers["ashlar-request-id"];
  expect(answer.json()).toMatchObject({ type: "about:blank", title: code, status, code, requestId });
}

for (const kind of ["file system", "memory"] as const) {
  const node = (): TestNode => (kind === "memory" ? memoryNode : fsNode);

  describe(`PUT /chunks to a ${kind} store`, () => {
    it("stores a chunk, answers 201, then 200", async () => {
      const bytes = patternBytes(3 * MIB + 5, 1);
      const path = await pathOf(bytes);
      const headers = { "ashlar-durability": "os", "ashlar-node-id": "node-1" };
      const created = await call(node(), "PUT", path, { body: bytes, headers });
      expect(created.status).toBe(201);
      expect(created.json()).toEqual({ sizeBytes: String(bytes.byteLength), nodeId: "node-1", replicas: 1 });
      const again = await call(node(), "PUT", path, { body: slices(bytes) });
      expect(again.status).toBe(200);
      expect(again.json()).toMatchObject({ alreadyPresent: true });
      const back = await call(node(), "GET", path);
      expect(Buffer.compare(back.body, bytes)).toBe(0);
    });

    it("takes a body of unknown length up to the limit and not a byte more", async () => {
      const bytes = patternBytes(CHUNK_MAX_BYTES, 2);
      expect((await call(node(), "PUT", await pathOf(bytes), { body: slices(bytes, MIB) })).status).toBe(201);
      expectProblem(await call(node(), "PUT", await pathOf(bytes), { body: endless() }), 413, "OBJECT_TOO_LARGE");
    });

    it("answers 422 for other bytes and keeps nothing", async () => {
      const path = await pathOf(patternBytes(1000, 3));
      expectProblem(await call(node(), "PUT", path, { body: patternBytes(1000, 4) }), 422, "CHUNK_DIGEST_MISMATCH");
      expectProblem(await call(node(), "GET", path), 404, "CHUNK_NOT_FOUND");
    });

    it("answers 400 to a chunk without bytes, whether its length is declared or not", async () => {
      const path = await pathOf(new Uint8Array(0));
      expectProblem(await call(node(), "PUT", path, { body: new Uint8Array(0) }), 400, "INVALID_ARGUMENT");
      expectProblem(await call(node(), "PUT", path, { body: slices(new Uint8Array(0)) }), 400, "INVALID_ARGUMENT");
    });
  });
}

describe("PUT /chunks", () => {
  it("refuses before the body what the headers tell, though the client goes on sending", async () => {
    const path = await pathOf(patternBytes(9, 10));
    const length = { "content-length": String(CHUNK_MAX_BYTES + 1) };
    const refused: [number, string, Parameters<typeof call>[3], string?][] = [
      [413, "OBJECT_TOO_LARGE", { headers: length }],
      [401, "UNAUTHENTICATED", { grant: "" }],
      [401, "UNAUTHENTICATED", { grant: "Bearer nonsense" }],
      [403, "PERMISSION_DENIED", { grant: await fsNode.readFor(await digestOf(patternBytes(9, 10))) }],
      [400, "INVALID_ARGUMENT", { headers: { "ashlar-node-id": "node-2" } }],
      [400, "INVALID_ARGUMENT", { headers: { "ashlar-durability": "strictly" } }],
      [400, "INVALID_ARGUMENT", {}, "/chunks/xyz"],
      [400, "INVALID_ARGUMENT", {}, path.toUpperCase().replace("/CHUNKS", "/chunks")],
    ];
    for (const [status, code, options, badPath] of refused) {
      expectProblem(await call(fsNode, "PUT", badPath ?? path, { ...options, body: endless() }), status, code);
    }
  });

  it("does not ask for a body that it refuses (expect: 100-continue)", async () => {
    const bytes = patternBytes(2000, 11);
    const path = await pathOf(bytes);
    const request = (authorization: string): string =>
      [
        `PUT ${path} HTTP/1.1`,
        "host: node",
        `content-length: ${bytes.byteLength}`,
        "expect: 100-continue",
        `authorization: ${authorization}`,
        "\r\n",
      ].join("\r\n");
    expect(await converse(request("Bearer nonsense"), bytes)).toMatch(/^HTTP\/1\.1 401 /);
    expect(await converse(request(fsNode.cluster), bytes)).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /);
  });

  it("gives the holder of a write grant a receipt", async () => {
    const bytes = patternBytes(123, 12);
    const put = await call(fsNode, "PUT", await pathOf(bytes), { body: bytes, grant: fsNode.write });
    const { receipt } = put.json();
    const facts = await fsNode.grants.verify(receipt as string, ["receipt"]);
    expect(facts).toMatchObject({ ticketId: fsNode.ticketId, sizeBytes: 123, nodeId: "node-1" });
  });

  it("answers 507 when the disk is full and keeps nothing", async () => {
    const node = await startTestNode(createMemoryChunkStore({ capacityBytes: 100_000 }));
    const bytes = patternBytes(200_000, 13);
    const path = await pathOf(bytes);
    expectProblem(await call(node, "PUT", path, { body: bytes }), 507, "DISK_FULL");
    expect((await node.store.stats()).chunkCount).toBe(0);
    await node.close();
  });

  it("answers 507 at once when the disk fills up in the middle of a body", async () => {
    const store: StreamingChunkStore = Object.assign(createMemoryChunkStore(), {
      async putChunkStream(_chunkId: Digest, source: AsyncIterable<Uint8Array>): Promise<never> {
        let receivedBytes = 0;
        for await (const piece of source) {
          receivedBytes += piece.byteLength;
          if (receivedBytes > 100_000) throw new AshlarError("DISK_FULL", "no space left on device");
        }
        throw new Error("the body ended before the disk was full");
      },
    });
    const node = await startTestNode(store);
    const path = await pathOf(patternBytes(9, 15));
    expectProblem(await call(node, "PUT", path, { body: endless() }), 507, "DISK_FULL");
    await node.close();
  });

  it("leaves nothing of an upload whose client goes away", async () => {
    const bytes = patternBytes(MIB, 14);
    const path = await pathOf(bytes);
    const socket = connect(Number(new URL(fsNode.url).port), "127.0.0.1");
    socket.write(
      `PUT ${path} HTTP/1.1\r\nhost: x\r\nauthorization: ${fsNode.cluster}\r\ncontent-length: ${MIB}\r\n\r\n`,
    );
    socket.write(bytes.subarray(0, 300_000));
    const files = (): Promise<string[]> => readdir(join(folder, "chunks", "tmp")).catch(() => []);
    await expect.poll(files, { timeout: 20_000 }).not.toEqual([]);
    socket.destroy();
    await expect.poll(files, { timeout: 20_000 }).toEqual([]);
    expectProblem(await call(fsNode, "GET", path), 404, "CHUNK_NOT_FOUND");
  });
});

/** Sends a request head, and the body once the node asks for it. @returns everything that the node answers. */
function converse(head: string, body: Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(fsNode.url).port), "127.0.0.1");
    let text = "";
    socket.on("error", reject);
    socket.on("data", (bytes) => {
      const asked = text === "" && bytes.toString().startsWith("HTTP/1.1 100");
      text += bytes.toString();
      if (asked) socket.write(body);
      if (/HTTP\/1\.1 [2-5]\d\d /.test(text)) socket.end();
    });
    socket.on("close", () => resolve(text));
    socket.write(head);
  });
}

describe("GET and HEAD /chunks", () => {
  const bytes = patternBytes(2 * MIB + 1000, 20);
  let path: string;

  beforeAll(async () => {
    path = await pathOf(bytes);
    for (const node of [fsNode, memoryNode]) await call(node, "PUT", path, { body: bytes });
  });

  it("say that the bytes never change", async () => {
    const etag = `"${path.slice("/chunks/".length)}"`;
    for (const method of ["GET", "HEAD"]) {
      const { status, headers, body } = await call(fsNode, method, path);
      expect(status).toBe(200);
      expect(headers).toMatchObject({
        etag,
        "accept-ranges": "bytes",
        "cache-control": "private, max-age=31536000, immutable",
        "content-length": String(bytes.byteLength),
        "content-type": "application/octet-stream",
      });
      expect(body.byteLength).toBe(method === "GET" ? bytes.byteLength : 0);
      const cached = await call(fsNode, method, path, { headers: { "if-none-match": `"other", W/${etag}` } });
      expect(cached.status).toBe(304);
      expect(cached.headers.etag).toBe(etag);
      expect(cached.body.byteLength).toBe(0);
      const changed = await call(fsNode, method, path, { headers: { "if-none-match": `"other"` } });
      expect(changed.status).toBe(200);
    }
  });

  it("answer ranges", async () => {
    const size = bytes.byteLength;
    const ranges: [string, number, number][] = [
      ["bytes=0-0", 0, 1],
      ["bytes=100-299", 100, 300],
      [`bytes=${MIB - 5}-${MIB + 4}`, MIB - 5, MIB + 5],
      ["bytes=1000-", 1000, size],
      ["bytes=-7", size - 7, size],
      [`bytes=-${size * 2}`, 0, size],
      [`bytes=5-${size * 2}`, 5, size],
    ];
    for (const node of [fsNode, memoryNode]) {
      for (const [range, start, end] of ranges) {
        const answer = await call(node, "GET", path, { headers: { range } });
        expect(answer.status).toBe(206);
        expect(answer.headers["content-range"]).toBe(`bytes ${start}-${end - 1}/${size}`);
        expect(answer.headers["content-length"]).toBe(String(end - start));
        expect(Buffer.compare(answer.body, bytes.subarray(start, end))).toBe(0);
      }
    }
  });

  it("answer with the whole where a range cannot be taken literally", async () => {
    const whole = ["bytes=0-1,5-6", "bytes=9-3", "bytes=-", "lines=1-2", "bytes=a-b"];
    for (const range of whole) expect((await call(fsNode, "GET", path, { headers: { range } })).status).toBe(200);
    const ifRange = await call(fsNode, "GET", path, { headers: { range: "bytes=0-1", "if-range": '"another"' } });
    expect(ifRange.status).toBe(200);
  });

  it("answer 416 with the size to a range outside", async () => {
    for (const range of [`bytes=${bytes.byteLength}-`, "bytes=-0"]) {
      const answer = await call(fsNode, "GET", path, { headers: { range } });
      expectProblem(answer, 416, "INVALID_RANGE");
      expect(answer.headers["content-range"]).toBe(`bytes */${bytes.byteLength}`);
    }
  });

  it("answer 404 for what is not here; HEAD says why in a header", async () => {
    const absent = await pathOf(patternBytes(1, 21));
    expectProblem(await call(fsNode, "GET", absent), 404, "CHUNK_NOT_FOUND");
    const head = await call(fsNode, "HEAD", absent);
    expect(head.status).toBe(404);
    expect(head.headers["ashlar-error-code"]).toBe("CHUNK_NOT_FOUND");
    const cached = await call(fsNode, "GET", absent, { headers: { "if-none-match": "*" } });
    expect(cached.status).toBe(404);
  });

  it("need a grant for just this chunk", async () => {
    const own = await fsNode.readFor(await digestOf(bytes));
    const other = await fsNode.readFor(await digestOf(patternBytes(1, 22)));
    expect((await call(fsNode, "GET", path, { grant: own })).status).toBe(200);
    expectProblem(await call(fsNode, "GET", path, { grant: other }), 403, "PERMISSION_DENIED");
    expectProblem(await call(fsNode, "GET", path, { grant: fsNode.write }), 403, "PERMISSION_DENIED");
    const none = await call(fsNode, "GET", path, { grant: "" });
    expectProblem(none, 401, "UNAUTHENTICATED");
    expect(none.headers["www-authenticate"]).toBe("Bearer");
  });

  it("serve a chunk to a client that reads slowly and to one that leaves in the middle", async () => {
    const controller = new AbortController();
    const headers = { authorization: fsNode.cluster };
    const leaving = await fetch(`${fsNode.url}${path}`, { headers, signal: controller.signal });
    await leaving.body?.getReader().read();
    controller.abort();
    const slow = await fetch(`${fsNode.url}${path}`, { headers });
    let receivedBytes = 0;
    for await (const slice of slow.body ?? []) {
      receivedBytes += slice.byteLength;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(receivedBytes).toBe(bytes.byteLength);
  });
});

describe("a chunk that is damaged on the disk", () => {
  it("is never served short or wrong: the connection is cut, or the answer is 500 CHUNK_CORRUPT", async () => {
    const bytes = patternBytes(5 * MIB, 30);
    const path = await pathOf(bytes);
    await call(fsNode, "PUT", path, { body: bytes });
    const hex = path.slice("/chunks/".length);
    const file = join(folder, "chunks", hex.slice(0, 2), hex.slice(2, 4), hex);
    const { open } = await import("node:fs/promises");
    const handle = await open(file, "r+");
    await handle.write(Uint8Array.of(~(bytes[4 * MIB] ?? 0) & 255), 0, 1, 4 * MIB);
    await handle.close();
    // The damage lies behind the first slices, so the answer has begun: only a cut connection can tell.
    await expect(call(fsNode, "GET", path)).rejects.toThrow();
    const range = { range: `bytes=${4 * MIB}-${4 * MIB + 9}` };
    const answer = await call(fsNode, "GET", path, { headers: range });
    expect([404, 500]).toContain(answer.status);
  });
});

describe("DELETE /chunks", () => {
  it("is conditional, for servers of the cluster only", async () => {
    const bytes = patternBytes(10, 40);
    const path = await pathOf(bytes);
    await call(memoryNode, "PUT", path, { body: bytes });
    expectProblem(await call(memoryNode, "DELETE", path, { grant: memoryNode.write }), 403, "PERMISSION_DENIED");
    const claimed = await call(memoryNode, "DELETE", path, { headers: { "ashlar-unclaimed-for-ms": "60000" } });
    expect(claimed.json()).toEqual({ outcomes: ["DELETE_OUTCOME_CLAIMED"] });
    expect((await call(memoryNode, "DELETE", path)).json()).toEqual({ outcomes: ["DELETE_OUTCOME_DELETED"] });
    expect((await call(memoryNode, "DELETE", path)).json()).toEqual({ outcomes: ["DELETE_OUTCOME_ABSENT"] });
    const bad = await call(memoryNode, "DELETE", path, { headers: { "ashlar-unclaimed-for-ms": "-1" } });
    expectProblem(bad, 400, "INVALID_ARGUMENT");
  });
});

describe("other methods and paths", () => {
  it("are answered 405 with the methods that there are, and 404", async () => {
    const post = await call(fsNode, "POST", await pathOf(patternBytes(1)));
    expectProblem(post, 405, "UNSUPPORTED");
    expect(post.headers.allow).toBe("GET, HEAD, PUT, DELETE");
    expectProblem(await call(fsNode, "GET", "/nothing"), 404, "UNSUPPORTED");
  });
});

describe("fetch of a node", () => {
  it("serves the same API without a port", async () => {
    const bytes = patternBytes(2 * MIB, 50);
    const url = `http://node${await pathOf(bytes)}`;
    const headers = { authorization: memoryNode.cluster };
    const put = await memoryNode.node.fetch(new Request(url, { method: "PUT", headers, body: bytes }));
    expect(put.status).toBe(201);
    const get = await memoryNode.node.fetch(new Request(url, { headers }));
    expect(Buffer.compare(new Uint8Array(await get.arrayBuffer()), bytes)).toBe(0);
    const rpc = await memoryNode.node.fetch(
      new Request("http://node/ashlar.v1.ChunkService/HealthCheck", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: "{}",
      }),
    );
    expect(await rpc.json()).toMatchObject({ status: "STATUS_SERVING", nodeId: "node-1" });
  });
});
