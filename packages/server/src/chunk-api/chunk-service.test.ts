import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import type { ErrorCode } from "@ashlar/sdk/errors";
import { sha256Sync } from "@ashlar/sdk/hash";
import { KIB, MIB } from "@ashlar/sdk/limits";
import type { ChunkStore } from "@ashlar/sdk/ports";
import {
  ashlarErrorFrom,
  ChunkService,
  DeleteOutcomeEnum,
  DurabilityEnum,
  HealthCheckResponse_Status,
  type PutChunkRequestMessage,
  PutChunkRequestSchema,
} from "@ashlar/sdk/rpc";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestOf, patternBytes, startTestNode, type TestNode } from "./testing/start-test-node.ts";

type Frame = MessageInitShape<typeof PutChunkRequestSchema>["payload"];

const CHUNK_MAX_BYTES = 8 * MIB;

let folder: string;
let fsNode: TestNode;
let memoryNode: TestNode;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ashlar-chunk-service-"));
  fsNode = await startTestNode(await openFsChunkStore({ path: folder, durability: "os" }), {
    chunkMaxBytes: CHUNK_MAX_BYTES,
  });
  memoryNode = await startTestNode(createMemoryChunkStore(), {
    chunkMaxBytes: CHUNK_MAX_BYTES,
    proofsOfPossession: true,
  });
});

afterAll(async () => {
  await fsNode.close();
  await memoryNode.close();
  await rm(folder, { recursive: true });
});

function transportTo(url: string): Transport {
  return createGrpcTransport({ baseUrl: url, acceptCompression: [] });
}

function clientOf(node: TestNode): Client<typeof ChunkService> {
  return createClient(ChunkService, transportTo(node.url));
}

async function* messages(...payloads: Frame[]): AsyncGenerator<PutChunkRequestMessage> {
  for (const payload of payloads) {
    yield create(PutChunkRequestSchema, payload === undefined ? {} : { payload });
  }
}

function framesOf(bytes: Uint8Array<ArrayBuffer>, frameBytes = 64 * KIB): Frame[] {
  const frames: Frame[] = [];
  for (let start = 0; start < bytes.byteLength; start += frameBytes) {
    frames.push({ case: "frame", value: bytes.subarray(start, start + frameBytes) });
  }
  return frames;
}

async function headerOf(bytes: Uint8Array, more: { nodeId?: string; durability?: number } = {}): Promise<Frame> {
  const chunkId = await digestOf(bytes);
  return { case: "header", value: { chunkId, sizeBytes: BigInt(bytes.byteLength), ...more } as never };
}

async function read(node: TestNode, request: Parameters<Client<typeof ChunkService>["getChunk"]>[0], grant?: string) {
  const frames: Uint8Array[] = [];
  let chunkSizeBytes: bigint | undefined;
  for await (const message of clientOf(node).getChunk(request, { headers: { authorization: grant ?? node.cluster } })) {
    chunkSizeBytes ??= message.chunkSizeBytes;
    frames.push(message.frame);
  }
  return { bytes: new Uint8Array(Buffer.concat(frames)), frames, chunkSizeBytes };
}

/** The code of our own error table that a call fails with; it must come as an ErrorInfo, which only our handlers send. */
async function codeOf(call: Promise<unknown>): Promise<{ code: ErrorCode; connect: Code }> {
  const error: unknown = await call.then(
    () => {
      throw new Error("the call did not fail");
    },
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConnectError)) throw error;
  expect(error.details.length).toBeGreaterThan(0);
  return { code: ashlarErrorFrom(error).code, connect: error.code };
}

const auth = (grant: string): { headers: Record<string, string> } => ({ headers: { authorization: grant } });

describe("every protocol", () => {
  const protocols: Record<string, (url: string) => Transport> = {
    "gRPC over HTTP/2": transportTo,
    "gRPC-Web over HTTP/1.1": (url) => createGrpcWebTransport({ baseUrl: url, httpVersion: "1.1" }),
    "gRPC-Web over HTTP/2": (url) => createGrpcWebTransport({ baseUrl: url, httpVersion: "2" }),
    "Connect over HTTP/1.1": (url) => createConnectTransport({ baseUrl: url, httpVersion: "1.1" }),
    "Connect over HTTP/2": (url) => createConnectTransport({ baseUrl: url, httpVersion: "2" }),
    "Connect JSON over HTTP/1.1": (url) =>
      createConnectTransport({ baseUrl: url, httpVersion: "1.1", useBinaryFormat: false }),
  };
  for (const [index, [name, transport]] of Object.entries(protocols).entries()) {
    it(`carries a chunk there and back: ${name}`, async () => {
      const client = createClient(ChunkService, transport(fsNode.url));
      const bytes = patternBytes(300_001, 10 + index);
      const put = await client.putChunk(
        messages(await headerOf(bytes), ...framesOf(bytes, 70_000)),
        auth(fsNode.cluster),
      );
      expect(put).toMatchObject({ sizeBytes: 300_001n, alreadyPresent: false, receipt: "", nodeId: "node-1" });
      const chunkId = await digestOf(bytes);
      const again = await client.writeChunk({ chunkId, data: bytes }, auth(fsNode.cluster));
      expect(again).toMatchObject({ sizeBytes: 300_001n, alreadyPresent: true });
      const frames: Uint8Array[] = [];
      for await (const { frame } of client.getChunk({ chunkId }, auth(fsNode.cluster))) frames.push(frame);
      expect(Buffer.concat(frames).equals(bytes)).toBe(true);
      expect(frames.length).toBe(Math.ceil(300_001 / (64 * KIB)));
    });
  }
});

for (const kind of ["file system", "memory"] as const) {
  const node = (): TestNode => (kind === "memory" ? memoryNode : fsNode);

  describe(`PutChunk to a ${kind} store`, () => {
    const refused: Record<string, { stream: () => Promise<Frame[]>; code: ErrorCode; connect: Code }> = {
      "a stream without any message": {
        stream: async () => [],
        code: "INVALID_ARGUMENT",
        connect: Code.InvalidArgument,
      },
      "a stream that begins with a frame": {
        stream: async () => framesOf(patternBytes(100)),
        code: "INVALID_ARGUMENT",
        connect: Code.InvalidArgument,
      },
      "a second header": {
        stream: async () => {
          const bytes = patternBytes(100, 2);
          return [await headerOf(bytes), await headerOf(bytes), ...framesOf(bytes)];
        },
        code: "INVALID_ARGUMENT",
        connect: Code.InvalidArgument,
      },
      "an empty message": {
        stream: async () => [await headerOf(patternBytes(100, 3)), undefined],
        code: "INVALID_ARGUMENT",
        connect: Code.InvalidArgument,
      },
      "a header and no frames": {
        stream: async () => [await headerOf(patternBytes(100, 4))],
        code: "INVALID_ARGUMENT",
        connect: Code.InvalidArgument,
      },
      "a frame over 1 MiB": {
        stream: async () => {
          const bytes = patternBytes(MIB + 1, 5);
          return [await headerOf(bytes), ...framesOf(bytes, MIB + 1)];
        },
        code: "INVALID_ARGUMENT",
        connect: Code.InvalidArgument,
      },
      "more bytes than declared": {
        stream: async () => [await headerOf(patternBytes(100, 6)), ...framesOf(patternBytes(101, 6))],
        code: "OBJECT_TOO_LARGE",
        connect: Code.InvalidArgument,
      },
      "fewer bytes than declared": {
        stream: async () => [await headerOf(patternBytes(100, 7)), ...framesOf(patternBytes(99, 7))],
        code: "CHUNK_DIGEST_MISMATCH",
        connect: Code.DataLoss,
      },
      "bytes of another digest": {
        stream: async () => [await headerOf(patternBytes(100, 8)), ...framesOf(patternBytes(100, 9))],
        code: "CHUNK_DIGEST_MISMATCH",
        connect: Code.DataLoss,
      },
      "another node's id": {
        stream: async () => [await headerOf(patternBytes(9), { nodeId: "node-2" }), ...framesOf(patternBytes(9))],
        code: "INVALID_ARGUMENT",
        connect: Code.InvalidArgument,
      },
      "a size of 0": {
        stream: async () => [await headerOf(new Uint8Array(0))],
        code: "INVALID_ARGUMENT",
        connect: Code.InvalidArgument,
      },
      "a size over the node's limit": {
        stream: async () => {
          const chunkId = await digestOf(patternBytes(9));
          return [{ case: "header", value: { chunkId, sizeBytes: BigInt(CHUNK_MAX_BYTES + 1) } as never }];
        },
        code: "OBJECT_TOO_LARGE",
        connect: Code.InvalidArgument,
      },
      "a size beyond 2^53": {
        stream: async () => {
          const chunkId = await digestOf(patternBytes(9));
          return [{ case: "header", value: { chunkId, sizeBytes: 2n ** 63n } as never }];
        },
        code: "INVALID_ARGUMENT",
        connect: Code.InvalidArgument,
      },
      "a chunk id of 31 bytes": {
        stream: async () => [{ case: "header", value: { chunkId: new Uint8Array(31), sizeBytes: 1n } as never }],
        code: "INVALID_ARGUMENT",
        connect: Code.InvalidArgument,
      },
      "an unknown durability": {
        stream: async () => [await headerOf(patternBytes(9), { durability: 99 }), ...framesOf(patternBytes(9))],
        code: "INVALID_ARGUMENT",
        connect: Code.InvalidArgument,
      },
    };
    for (const [what, { stream, code, connect }] of Object.entries(refused)) {
      it(`refuses ${what} and keeps nothing`, async () => {
        const before = await node().store.stats();
        const call = clientOf(node()).putChunk(messages(...(await stream())), auth(node().cluster));
        expect(await codeOf(call)).toEqual({ code, connect });
        expect((await node().store.stats()).chunkCount).toBe(before.chunkCount);
      });
    }

    it("takes a chunk of exactly the limit, in frames of 1 MiB, with the right node id and a durability", async () => {
      const bytes = patternBytes(CHUNK_MAX_BYTES, 20);
      const header = await headerOf(bytes, { nodeId: "node-1", durability: DurabilityEnum.OS });
      const put = await clientOf(node()).putChunk(messages(header, ...framesOf(bytes, MIB)), auth(node().cluster));
      expect(put.sizeBytes).toBe(BigInt(CHUNK_MAX_BYTES));
      const { bytes: back, chunkSizeBytes } = await read(node(), { chunkId: await digestOf(bytes) });
      expect(Buffer.compare(back, bytes)).toBe(0);
      expect(chunkSizeBytes).toBe(BigInt(CHUNK_MAX_BYTES));
    });

    it("checks the bytes of a chunk that it holds already", async () => {
      const bytes = patternBytes(5000, 21);
      await clientOf(node()).putChunk(messages(await headerOf(bytes), ...framesOf(bytes)), auth(node().write));
      const lie = patternBytes(5000, 22);
      const call = clientOf(node()).putChunk(messages(await headerOf(bytes), ...framesOf(lie)), auth(node().write));
      expect((await codeOf(call)).code).toBe("CHUNK_DIGEST_MISMATCH");
      const { bytes: back } = await read(node(), { chunkId: await digestOf(bytes) });
      expect(Buffer.compare(back, bytes)).toBe(0);
    });
  });

  describe(`WriteChunk to a ${kind} store`, () => {
    it("refuses no bytes, other bytes, too many bytes and another node", async () => {
      const client = clientOf(node());
      const bytes = patternBytes(1000, 30);
      const chunkId = await digestOf(bytes);
      const write = (request: Parameters<typeof client.writeChunk>[0]) =>
        codeOf(client.writeChunk(request, auth(node().cluster)));
      expect((await write({ chunkId, data: new Uint8Array(0) })).code).toBe("INVALID_ARGUMENT");
      expect((await write({ chunkId, data: patternBytes(1000, 31) })).code).toBe("CHUNK_DIGEST_MISMATCH");
      expect((await write({ chunkId, data: new Uint8Array(CHUNK_MAX_BYTES + 1) })).code).toBe("OBJECT_TOO_LARGE");
      expect((await write({ chunkId, data: bytes, nodeId: "node-9" })).code).toBe("INVALID_ARGUMENT");
      expect((await write({ chunkId: new Uint8Array(5), data: bytes })).code).toBe("INVALID_ARGUMENT");
    });
  });

  describe(`GetChunk from a ${kind} store`, () => {
    it("reads ranges, cut at the end, in frames of the size asked for", async () => {
      const bytes = patternBytes(2 * MIB + 500_000, 40);
      const chunkId = await digestOf(bytes);
      await clientOf(node()).writeChunk({ chunkId, data: bytes }, auth(node().cluster));
      const whole = await read(node(), { chunkId, frameBytes: MIB });
      expect(Buffer.compare(whole.bytes, bytes)).toBe(0);
      expect(whole.frames.map((frame) => frame.byteLength)).toEqual([MIB, MIB, 500_000]);
      const middle = await read(node(), { chunkId, offset: 1_000_000n, length: 1_200_000n });
      expect(Buffer.compare(middle.bytes, bytes.subarray(1_000_000, 2_200_000))).toBe(0);
      expect(middle.chunkSizeBytes).toBe(BigInt(bytes.byteLength));
      const tail = await read(node(), { chunkId, offset: BigInt(bytes.byteLength - 1), length: 1000n });
      expect(tail.bytes).toEqual(bytes.subarray(-1));
    });

    it("answers NOT_FOUND, OUT_OF_RANGE and INVALID_ARGUMENT", async () => {
      const bytes = patternBytes(100, 41);
      const chunkId = await digestOf(bytes);
      await clientOf(node()).writeChunk({ chunkId, data: bytes }, auth(node().cluster));
      const absent = codeOf(read(node(), { chunkId: await digestOf(patternBytes(1, 42)) }));
      expect(await absent).toEqual({ code: "CHUNK_NOT_FOUND", connect: Code.NotFound });
      expect(await codeOf(read(node(), { chunkId, offset: 100n }))).toEqual({
        code: "INVALID_RANGE",
        connect: Code.OutOfRange,
      });
      for (const bad of [{ frameBytes: MIB + 1 }, { chunkId: new Uint8Array(31) }, { offset: 2n ** 60n }]) {
        expect((await codeOf(read(node(), { chunkId, ...bad }))).code).toBe("INVALID_ARGUMENT");
      }
    });
  });
}

describe("HasChunks, DeleteChunk and ListChunks", () => {
  it("tell a server of the cluster what is here", async () => {
    const client = clientOf(memoryNode);
    const bytes = patternBytes(700, 50);
    const [here, absent] = [await digestOf(bytes), await digestOf(patternBytes(1, 51))];
    await client.writeChunk({ chunkId: here, data: bytes }, auth(memoryNode.cluster));
    const { chunks } = await client.hasChunks({ chunkIds: [here, absent], claim: true }, auth(memoryNode.cluster));
    expect(chunks).toMatchObject([
      { present: true, sizeBytes: 700n, receipt: "" },
      { present: false, sizeBytes: 0n },
    ]);
    const kept = await client.deleteChunk(
      { chunkIds: [here, absent], unclaimedForMs: 60_000n },
      auth(memoryNode.cluster),
    );
    expect(kept.outcomes).toEqual([DeleteOutcomeEnum.CLAIMED, DeleteOutcomeEnum.ABSENT]);
    const gone = await client.deleteChunk({ chunkIds: [here] }, auth(memoryNode.cluster));
    expect(gone.outcomes).toEqual([DeleteOutcomeEnum.DELETED]);
  });

  it("page through a store in order", async () => {
    const node = await startTestNode(createMemoryChunkStore());
    const client = clientOf(node);
    const ids: string[] = [];
    for (let index = 0; index < 7; index++) {
      const data = patternBytes(10 + index, 60);
      const chunkId = await digestOf(data);
      ids.push(Buffer.from(chunkId).toString("hex"));
      await client.writeChunk({ chunkId, data }, auth(node.cluster));
    }
    const listed: string[] = [];
    let cursor = "";
    do {
      const page = await client.listChunks({ cursor, limit: 3 }, auth(node.cluster));
      listed.push(...page.chunks.map((chunk) => Buffer.from(chunk.chunkId).toString("hex")));
      expect(page.chunks.length).toBeLessThanOrEqual(3);
      cursor = page.nextCursor;
    } while (cursor !== "");
    expect(listed).toEqual(ids.sort());
    expect((await codeOf(client.listChunks({ cursor: "nonsense" }, auth(node.cluster)))).code).toBe("INVALID_ARGUMENT");
    await node.close();
  });

  it("reject what breaks the rules of the proto files", async () => {
    const client = clientOf(memoryNode);
    const id = await digestOf(patternBytes(1, 52));
    const bad = [
      () => client.hasChunks({ chunkIds: [] }, auth(memoryNode.cluster)),
      () => client.hasChunks({ chunkIds: [id.subarray(1)] }, auth(memoryNode.cluster)),
      () => client.hasChunks({ chunkIds: Array.from({ length: 1001 }, () => id) }, auth(memoryNode.cluster)),
      () => client.deleteChunk({ chunkIds: [] }, auth(memoryNode.cluster)),
      () => client.listChunks({ limit: 1001 }, auth(memoryNode.cluster)),
    ];
    for (const call of bad) {
      expect(await codeOf(call())).toEqual({ code: "INVALID_ARGUMENT", connect: Code.InvalidArgument });
    }
  });
});

describe("HealthCheck", () => {
  it("is open to everybody and tells how the node is", async () => {
    const data = patternBytes(55, 53);
    await clientOf(fsNode).writeChunk({ chunkId: await digestOf(data), data }, auth(fsNode.cluster));
    const health = await clientOf(fsNode).healthCheck({});
    expect(health.status).toBe(HealthCheckResponse_Status.SERVING);
    expect(health).toMatchObject({ nodeId: "node-1", chunkMaxBytes: BigInt(CHUNK_MAX_BYTES) });
    expect(health.chunkCount).toBeGreaterThan(0n);
    expect(health.bytesTotal).toBeGreaterThan(health.bytesFree);
  });
});

describe("grants", () => {
  it("are needed, and each kind opens its own calls only", async () => {
    const client = clientOf(memoryNode);
    const bytes = patternBytes(64, 70);
    const chunkId = await digestOf(bytes);
    await client.writeChunk({ chunkId, data: bytes }, auth(memoryNode.cluster));
    const otherRead = await memoryNode.readFor(await digestOf(patternBytes(1, 71)));
    const ownRead = await memoryNode.readFor(chunkId);
    const calls = {
      put: async (grant: string) => client.putChunk(messages(await headerOf(bytes), ...framesOf(bytes)), auth(grant)),
      write: (grant: string) => client.writeChunk({ chunkId, data: bytes }, auth(grant)),
      get: (grant: string) => read(memoryNode, { chunkId }, grant),
      has: (grant: string) => client.hasChunks({ chunkIds: [chunkId] }, auth(grant)),
      delete: (grant: string) => client.deleteChunk({ chunkIds: [absentId] }, auth(grant)),
      list: (grant: string) => client.listChunks({}, auth(grant)),
    };
    const absentId = await digestOf(patternBytes(1, 72));
    const outcome = async (call: Promise<unknown>): Promise<string> =>
      call.then(
        () => "ok",
        (error: unknown) => ashlarErrorFrom(error).code,
      );
    const table: Record<string, string> = {};
    const grants = { none: "", cluster: memoryNode.cluster, write: memoryNode.write, ownRead, otherRead };
    for (const [who, grant] of Object.entries(grants)) {
      const cells: string[] = [];
      for (const call of Object.values(calls)) cells.push(await outcome(call(grant)));
      table[who] = cells.join(" ");
    }
    const no = "UNAUTHENTICATED";
    const denied = "PERMISSION_DENIED";
    expect(table).toEqual({
      none: [no, no, no, no, no, no].join(" "),
      cluster: "ok ok ok ok ok ok",
      write: `ok ok ${denied} ok ${denied} ${denied}`,
      ownRead: `${denied} ${denied} ok ${denied} ${denied} ${denied}`,
      otherRead: `${denied} ${denied} ${denied} ${denied} ${denied} ${denied}`,
    });
  });

  it("are checked before the body: an endless stream without a grant ends at once", async () => {
    async function* endless(): AsyncGenerator<PutChunkRequestMessage> {
      const bytes = patternBytes(MIB, 73);
      yield* messages({ case: "header", value: { chunkId: await digestOf(bytes), sizeBytes: BigInt(MIB) } as never });
      for (;;) yield* messages({ case: "frame", value: new Uint8Array(1000) });
    }
    // Many times on one connection: the trailers with the error must win against the reset of the stream.
    const client = clientOf(fsNode);
    for (let round = 0; round < 50; round++) {
      expect((await codeOf(client.putChunk(endless()))).code).toBe("UNAUTHENTICATED");
    }
  });

  it("give a receipt for a chunk that was uploaded under a write grant", async () => {
    const bytes = patternBytes(4321, 74);
    const chunkId = await digestOf(bytes);
    for (const node of [fsNode, memoryNode]) {
      const put = await clientOf(node).putChunk(messages(await headerOf(bytes), ...framesOf(bytes)), auth(node.write));
      const receipt = await node.grants.verify(put.receipt, ["receipt"]);
      expect(receipt).toMatchObject({ holder: "node", ticketId: node.ticketId, sizeBytes: 4321, nodeId: "node-1" });
      expect(Buffer.compare(receipt.chunkId, chunkId)).toBe(0);
    }
  });
});

const prove = (nonce: Uint8Array, bytes: Uint8Array): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(sha256Sync(Buffer.concat([nonce, bytes])));

describe("a proof of possession", () => {
  it("gets a receipt and a claim, and nothing else does", async () => {
    const client = clientOf(memoryNode);
    const bytes = patternBytes(3 * MIB + 17, 80);
    const chunkId = await digestOf(bytes);
    await client.writeChunk({ chunkId, data: bytes }, auth(memoryNode.cluster));
    const ask = async (proofs: Uint8Array<ArrayBuffer>[], grant = memoryNode.write, claim = true) =>
      (await client.hasChunks({ chunkIds: [chunkId], claim, proofs }, auth(grant))).chunks[0]!;

    const first = await ask([]);
    expect(first).toMatchObject({ present: false, sizeBytes: 0n, receipt: "" });
    expect(first.nonce.byteLength).toBe(32);

    expect(await ask([prove(first.nonce, bytes.subarray(1))])).toMatchObject({ present: false, receipt: "" });
    expect(await ask([Uint8Array.from(chunkId)])).toMatchObject({ present: false, receipt: "" });

    const proven = await ask([prove(first.nonce, bytes)]);
    expect(proven).toMatchObject({ present: true, sizeBytes: BigInt(bytes.byteLength) });
    const receipt = await memoryNode.grants.verify(proven.receipt, ["receipt"]);
    expect(receipt).toMatchObject({ ticketId: memoryNode.ticketId, sizeBytes: bytes.byteLength });

    // Another ticket has another nonce: a proof cannot be passed on.
    const ticketId = memoryNode.grants.newTicketId();
    const other = `Bearer ${await memoryNode.grants.issueWrite({ ticketId, bucket: "photos" })}`;
    expect(await ask([prove(first.nonce, bytes)], other)).toMatchObject({ present: false, receipt: "" });

    // Without a claim there is no receipt.
    expect(await ask([prove(first.nonce, bytes)], memoryNode.write, false)).toMatchObject({
      present: true,
      receipt: "",
    });
  });

  it("of a chunk that is not here is answered like a wrong one, and a malformed one is refused", async () => {
    const client = clientOf(memoryNode);
    const bytes = patternBytes(99, 81);
    const chunkId = await digestOf(bytes);
    const nonce = await memoryNode.grants.nonceFor(memoryNode.ticketId, chunkId, "node-1");
    const call = (proofs: Uint8Array<ArrayBuffer>[]) =>
      client.hasChunks({ chunkIds: [chunkId], claim: true, proofs }, auth(memoryNode.write));
    expect((await call([prove(nonce, bytes)])).chunks).toMatchObject([{ present: false, receipt: "" }]);
    expect((await codeOf(call([new Uint8Array(31)]))).code).toBe("INVALID_ARGUMENT");
    expect((await codeOf(call([new Uint8Array(32), new Uint8Array(32)]))).code).toBe("INVALID_ARGUMENT");
  });
});

describe("what a store holds", () => {
  /** A store that records what it was asked. */
  function watched(): { readonly store: ChunkStore; readonly asked: string[] } {
    const asked: string[] = [];
    const inner = createMemoryChunkStore();
    const store = new Proxy(inner, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          asked.push(String(name));
          return (value as (...args: unknown[]) => unknown).apply(target, args);
        };
      },
    });
    return { store, asked };
  }

  it("does not change what a node does with a proof, unless proofs are on", async () => {
    const { store, asked } = watched();
    const node = await startTestNode(store);
    const bytes = patternBytes(500, 95);
    const chunkId = await digestOf(bytes);
    await clientOf(node).writeChunk({ chunkId, data: bytes }, auth(node.cluster));
    asked.length = 0;
    const nonce = await node.grants.nonceFor(node.ticketId, chunkId, "node-1");
    for (const proof of [prove(nonce, bytes), new Uint8Array(32)]) {
      const { chunks } = await clientOf(node).hasChunks(
        { chunkIds: [chunkId], claim: true, proofs: [proof] },
        auth(node.write),
      );
      expect(chunks).toMatchObject([{ present: false, sizeBytes: 0n, receipt: "", nonce: new Uint8Array(0) }]);
    }
    expect(asked).toEqual([]);
    await node.close();
  });

  it("does not change how wrong bytes under a digest are refused", async () => {
    const { store, asked } = watched();
    const node = await startTestNode(store);
    const chunkId = await digestOf(patternBytes(500, 96));
    const wrong = patternBytes(500, 97);
    expect((await codeOf(clientOf(node).writeChunk({ chunkId, data: wrong }, auth(node.write)))).code).toBe(
      "CHUNK_DIGEST_MISMATCH",
    );
    const messages = async function* () {
      yield { payload: { case: "header" as const, value: { chunkId, sizeBytes: 500n } } };
      yield { payload: { case: "frame" as const, value: wrong } };
    };
    expect((await codeOf(clientOf(node).putChunk(messages(), auth(node.write)))).code).toBe("CHUNK_DIGEST_MISMATCH");
    const put = await fetch(`${node.url}/chunks/${Buffer.from(chunkId).toString("hex")}`, {
      method: "PUT",
      body: wrong,
      headers: { authorization: node.write },
    });
    expect(put.headers.get("ashlar-error-code")).toBe("CHUNK_DIGEST_MISMATCH");
    expect(asked.filter((name) => name !== "stats")).toEqual([]);
    await node.close();
  });

  it("is asked once about a chunk in a call, and at most once a second for unauthenticated callers", async () => {
    const { store, asked } = watched();
    const node = await startTestNode(store);
    const client = clientOf(node);
    const chunkId = await digestOf(patternBytes(500, 98));
    for (const grant of [node.cluster, node.write]) {
      expect((await codeOf(client.hasChunks({ chunkIds: [chunkId, chunkId] }, auth(grant)))).code).toBe(
        "INVALID_ARGUMENT",
      );
    }
    expect((await codeOf(client.deleteChunk({ chunkIds: [chunkId, chunkId] }, auth(node.cluster)))).code).toBe(
      "INVALID_ARGUMENT",
    );
    asked.length = 0;
    await Promise.all(Array.from({ length: 50 }, () => client.healthCheck({})));
    expect(asked.length).toBeLessThan(50);
    const before = asked.length;
    await client.healthCheck({}, auth(node.cluster));
    expect(asked.length).toBe(before + 1);
    await node.close();
  });
});

describe("an insecure node", () => {
  it("lets everybody do everything and signs nothing", async () => {
    const node = await startTestNode(createMemoryChunkStore(), { clusterKey: undefined, insecure: true });
    const client = clientOf(node);
    const data = patternBytes(10, 90);
    const chunkId = await digestOf(data);
    expect(await client.writeChunk({ chunkId, data })).toMatchObject({ receipt: "", alreadyPresent: false });
    expect((await client.deleteChunk({ chunkIds: [chunkId] })).outcomes).toEqual([DeleteOutcomeEnum.DELETED]);
    await node.close();
  });
});

describe("an upload that is cut off", () => {
  it("leaves no file behind", async () => {
    const bytes = patternBytes(MIB, 91);
    const abort = new AbortController();
    async function* stalling(): AsyncGenerator<PutChunkRequestMessage> {
      yield* messages(await headerOf(bytes), ...framesOf(bytes).slice(0, 8));
      setTimeout(() => abort.abort(), 50);
      await new Promise(() => {});
    }
    const call = clientOf(fsNode).putChunk(stalling(), { ...auth(fsNode.cluster), signal: abort.signal });
    await expect(call).rejects.toThrow();
    const hex = Buffer.from(await digestOf(bytes)).toString("hex");
    const leaf = join(folder, "chunks", hex.slice(0, 2), hex.slice(2, 4));
    await expect
      .poll(async () => (await readdir(leaf).catch(() => [])).filter((name) => !name.startsWith(".dir")), {
        timeout: 20_000,
      })
      .toEqual([]);
  });
});
