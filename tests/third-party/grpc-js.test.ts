import { createHash } from "node:crypto";
import { type Digest, digestFromBytes } from "@ashlar/sdk/hash";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testBytes } from "../support/test-bytes.ts";
import { createDynamicClient, type DynamicClient, type Message, statusOf } from "./grpc-js-client.ts";
import { type ServersUnderTest, startServers } from "./servers-under-test.ts";

const FRAME_BYTES = 65_536;
const chunk = testBytes(1_000_000, 21);

let servers: ServersUnderTest;
const clients: DynamicClient[] = [];

function connect(service: string, address: string, token?: string): DynamicClient {
  const client = createDynamicClient(service, address, token);
  clients.push(client);
  return client;
}

beforeAll(async () => {
  servers = await startServers();
});
afterAll(async () => {
  for (const client of clients) client.close();
  await servers[Symbol.asyncDispose]();
});

function digestOf(bytes: Uint8Array): Digest {
  return digestFromBytes(createHash("sha256").update(bytes).digest());
}

function frames(header: Message, bytes: Uint8Array): Message[] {
  const messages: Message[] = [{ header }];
  for (let at = 0; at < bytes.byteLength; at += FRAME_BYTES)
    messages.push({ frame: bytes.subarray(at, at + FRAME_BYTES) });
  return messages;
}

describe("a storage node, called by @grpc/grpc-js from the .proto files", () => {
  test("takes and gives a chunk under grants of the cluster", async () => {
    const chunkId = digestOf(chunk);
    const grant = await servers.grants.issueWrite({ ticketId: servers.grants.newTicketId(), bucket: "box" });
    const writer = connect("ashlar.v1.ChunkService", servers.node, grant);
    const header = { chunk_id: chunkId, size_bytes: String(chunk.byteLength), durability: "DURABILITY_OS" };
    const put = await writer.clientStream("PutChunk", frames(header, chunk));
    expect(put).toMatchObject({ size_bytes: String(chunk.byteLength), already_present: false, node_id: "n1" });
    expect(put.receipt).not.toBe("");
    const reader = connect("ashlar.v1.ChunkService", servers.node, await servers.grants.issueRead({ chunkId }));
    const read = async (range: Message): Promise<Buffer> => {
      const messages = await reader.serverStream("GetChunk", { chunk_id: chunkId, ...range });
      for (const { frame } of messages) expect(frame.byteLength).toBeLessThanOrEqual(FRAME_BYTES);
      return Buffer.concat(messages.map(({ frame }) => frame as Buffer));
    };
    expect((await read({})).equals(chunk)).toBe(true);
    expect((await read({ offset: "70000", length: "1000" })).equals(chunk.subarray(70_000, 71_000))).toBe(true);
  });

  test("answers errors with the codes of the table", async () => {
    const cluster = connect("ashlar.v1.ChunkService", servers.node, await servers.grants.issueCluster());
    const unauthenticated = connect("ashlar.v1.ChunkService", servers.node);
    const other = digestOf(testBytes(10, 99));
    const wrong = frames({ chunk_id: other, size_bytes: String(chunk.byteLength) }, chunk);
    expect(await statusOf(cluster.clientStream("PutChunk", wrong))).toBe("DATA_LOSS");
    expect(await statusOf(cluster.serverStream("GetChunk", { chunk_id: other }))).toBe("NOT_FOUND");
    expect(await statusOf(cluster.serverStream("GetChunk", { chunk_id: Buffer.alloc(5) }))).toBe("INVALID_ARGUMENT");
    expect(await statusOf(cluster.clientStream("PutChunk", []))).toBe("INVALID_ARGUMENT");
    expect(await statusOf(unauthenticated.serverStream("GetChunk", { chunk_id: other }))).toBe("UNAUTHENTICATED");
    const reading = await servers.grants.issueRead({ chunkId: other });
    const reader = connect("ashlar.v1.ChunkService", servers.node, reading);
    expect(await statusOf(reader.serverStream("GetChunk", { chunk_id: digestOf(chunk) }))).toBe("PERMISSION_DENIED");
  });

  test("tells its health to unauthenticated callers too, in its own and in gRPC's health service", async () => {
    const own = await connect("ashlar.v1.ChunkService", servers.node).unary("HealthCheck", {});
    expect(own).toMatchObject({ status: "STATUS_SERVING", node_id: "n1" });
    expect(Number(own.bytes_total)).toBeGreaterThan(0);
    for (const address of [servers.node, servers.gateway]) {
      const health = connect("grpc.health.v1.Health", address);
      expect(await health.unary("Check", { service: "" })).toEqual({ status: "SERVING" });
    }
  });
});

describe("a gateway, called by @grpc/grpc-js from the .proto files", () => {
  test("takes and gives an object with an API key", async () => {
    const objects = connect("ashlar.v1.ObjectService", servers.gateway, servers.apiKey);
    await objects.unary("CreateBucket", { bucket: "from-grpc-js" });
    const header = { bucket: "from-grpc-js", key: "a/b", attributes: { content_type: "text/x-test" } };
    const put = await objects.clientStream("PutObject", frames(header, chunk));
    const sha256 = Buffer.from(digestOf(chunk)).toString("hex");
    expect(put.outcome).toMatchObject({ info: { key: "a/b", size_bytes: "1000000", sha256 }, chunk_count: "1" });
    const [opened, ...rest] = await objects.serverStream("GetObject", { bucket: "from-grpc-js", key: "a/b" });
    expect(opened?.opened).toMatchObject({ length: "1000000", info: { attributes: { content_type: "text/x-test" } } });
    expect(Buffer.concat(rest.map(({ frame }) => frame as Buffer)).equals(chunk)).toBe(true);
    const list = await objects.unary("ListObjects", { bucket: "from-grpc-js", delimiter: "/" });
    expect(list.prefixes).toEqual(["a/"]);
  });

  test("answers errors with the codes of the table", async () => {
    const objects = connect("ashlar.v1.ObjectService", servers.gateway, servers.apiKey);
    const missing = objects.unary("HeadObject", { bucket: "from-grpc-js", key: "a/none 100%" });
    await expect(missing).rejects.toMatchObject({
      code: status.NOT_FOUND,
      details: "no object from-grpc-js/a/none 100%",
    });
    expect(await statusOf(objects.unary("CreateBucket", { bucket: "UPPER" }))).toBe("INVALID_ARGUMENT");
    expect(await statusOf(objects.unary("CreateBucket", { bucket: "from-grpc-js" }))).toBe("ALREADY_EXISTS");
    const unauthenticated = connect("ashlar.v1.ObjectService", servers.gateway, "ashlar_0000000000000000_no");
    expect(await statusOf(unauthenticated.unary("ListBuckets", {}))).toBe("UNAUTHENTICATED");
  });
});
