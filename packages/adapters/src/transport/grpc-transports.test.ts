import { AshlarError, ERROR_CODES, type ErrorCode } from "@ashlar/sdk/errors";
import { sha256Sync } from "@ashlar/sdk/hash";
import { MIB } from "@ashlar/sdk/limits";
import type { ChunkStore, Transport } from "@ashlar/sdk/ports";
import { type ChunkService, connectErrorFrom } from "@ashlar/sdk/rpc";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { afterEach, describe, expect, test } from "vitest";
import { grpcTransport } from "./grpc.ts";
import { grpcJsTransport } from "./grpc-js.ts";
import { startGrpcServer, type TestServer } from "./testing/chunk-server.ts";

const bytes = new Uint8Array(5 * MIB + 3).map((_, index) => index * 7 + (index >> 9));
const chunkId = sha256Sync(bytes);
const CODES = Object.keys(ERROR_CODES) as ErrorCode[];

const TRANSPORTS: ReadonlyArray<readonly [string, () => Transport]> = [
  ["grpc", () => grpcTransport()],
  ["grpc over three connections", () => grpcTransport({ connectionsPerServer: 3 })],
  ["grpc-js", () => grpcJsTransport()],
];

describe.each(TRANSPORTS)("%s", (_name, createTransport) => {
  let server: TestServer | undefined;
  let transport: Transport | undefined;

  const open = async (service: Partial<ServiceImpl<typeof ChunkService>>): Promise<ChunkStore> => {
    server = await startGrpcServer(service);
    transport = createTransport();
    return transport.openChunkStore({ url: server.url, authorization: () => "Bearer cluster" });
  };

  afterEach(async () => {
    await transport?.close();
    await server?.close();
  });

  test("https:// to a port without TLS is NODE_UNAVAILABLE, and says what to do", async () => {
    server = await startGrpcServer({});
    transport = createTransport();
    // A host name, because TLS sends none for an address.
    const store = transport.openChunkStore({ url: `https://localhost:${new URL(server.url).port}` });
    await expect(store.getChunk(chunkId)).rejects.toMatchObject({
      code: "NODE_UNAVAILABLE",
      message: expect.stringContaining("use http://"),
    });
  });

  test("streams a chunk up and down, with progress and with the right bearer", async () => {
    let stored: Buffer | undefined;
    const bearers: unknown[] = [];
    const store = await open({
      async putChunk(messages, { requestHeader }) {
        bearers.push(requestHeader.get("authorization"));
        const frames: Uint8Array[] = [];
        for await (const { payload } of messages) if (payload.case === "frame") frames.push(payload.value);
        stored = Buffer.concat(frames);
        return { sizeBytes: BigInt(stored.length), receipt: "r", nodeId: "n1" };
      },
      async *getChunk({ frameBytes }, { requestHeader }) {
        bearers.push(requestHeader.get("authorization"));
        for (let offset = 0; offset < bytes.length; offset += frameBytes) {
          yield {
            frame: bytes.subarray(offset, offset + frameBytes),
            chunkSizeBytes: offset === 0 ? BigInt(bytes.length) : 0n,
          };
        }
      },
    });
    const up: number[] = [];
    const put = await store.putChunk(chunkId, bytes, { grant: "g", onProgress: (sent) => up.push(sent) });
    expect(put).toMatchObject({ sizeBytes: bytes.length, alreadyPresent: false, receipt: "r" });
    expect(stored?.equals(bytes)).toBe(true);
    const down: number[] = [];
    const got = await store.getChunk(chunkId, { onProgress: (received) => down.push(received) });
    expect(Buffer.from(got!).equals(bytes)).toBe(true);
    expect(bearers).toEqual(["Bearer g", "Bearer cluster"]);
    for (const seen of [up, down]) {
      expect(seen.length).toBeGreaterThanOrEqual(5);
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
      expect(seen.at(-1)).toBe(bytes.length);
    }
  });

  test("every error code arrives with its details, from unary calls and from streams", async () => {
    const details = { bucket: "photos", key: "naïve/\u{1f431}" };
    let code: ErrorCode = "INTERNAL";
    const fail = (): never => {
      throw connectErrorFrom(new AshlarError(code, "what happened: 100 %", { details }));
    };
    const store = await open({
      healthCheck: async () => fail(),
      putChunk: async () => fail(),
      // biome-ignore lint/correctness/useYield: it fails before its first frame.
      async *getChunk() {
        fail();
      },
    });
    for (code of CODES) {
      // A cancel by the server is not one by the caller: another server may answer.
      const expected =
        code === "CANCELED" ? { code: "NODE_UNAVAILABLE" } : { code, message: "what happened: 100 %", details };
      await expect(store.stats()).rejects.toMatchObject(expected);
      await expect(store.putChunk(chunkId, bytes)).rejects.toMatchObject(expected);
      if (code === "CHUNK_NOT_FOUND") expect(await store.getChunk(chunkId)).toBeUndefined();
      else await expect(store.getChunk(chunkId)).rejects.toMatchObject(expected);
    }
  });

  test("an error in the middle of an upload arrives at once", async () => {
    let frameCount = 0;
    const store = await open({
      async putChunk(messages) {
        for await (const { payload } of messages) {
          if (payload.case === "frame" && ++frameCount === 1)
            throw connectErrorFrom(new AshlarError("DISK_FULL", "full"));
        }
        return {};
      },
    });
    await expect(store.putChunk(chunkId, bytes)).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(frameCount).toBe(1);
  });

  test("a message over the client's limit is refused, not retried", async () => {
    const store = await open({ listChunks: async () => ({ nextCursor: "x".repeat(17 * MIB) }) });
    await expect(store.listChunks()).rejects.toMatchObject({ code: "OBJECT_TOO_LARGE" });
  });

  test("an abort ends the call at the client, and at the server too", async () => {
    let ended: (value: unknown) => void = () => {};
    const serverEnded = new Promise((resolve) => {
      ended = resolve;
    });
    const store = await open({
      async *getChunk(_request, { signal }) {
        signal.addEventListener("abort", ended);
        yield { frame: bytes.subarray(0, 10), chunkSizeBytes: BigInt(bytes.length) };
        await serverEnded;
      },
    });
    const controller = new AbortController();
    const call = store.getChunk(chunkId, {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(call).rejects.toMatchObject({ code: "CANCELED" });
    await serverEnded;
  });

  test("a deadline is DEADLINE_EXCEEDED", async () => {
    const store = await open({ healthCheck: () => new Promise(() => {}) });
    await expect(store.stats({ signal: AbortSignal.timeout(50) })).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });

  test("a connection that is cut is NODE_UNAVAILABLE, and the next call connects again", async () => {
    let arrive: (value: unknown) => void = () => {};
    const arrived = new Promise((resolve) => {
      arrive = resolve;
    });
    let hang = true;
    const store = await open({
      async healthCheck() {
        arrive(undefined);
        if (hang) await new Promise(() => {});
        return { chunkCount: 7n };
      },
    });
    const call = expect(store.stats()).rejects.toMatchObject({ code: "NODE_UNAVAILABLE" });
    // Earlier there may be no connection yet that could be cut.
    await arrived;
    server?.cut();
    await call;
    hang = false;
    const again = async (): Promise<unknown> => (await store.stats()).chunkCount;
    // The first call after it may still meet the old connection.
    expect(await again().catch(again)).toBe(7);
  });

  test("a method that the server lacks is UNSUPPORTED, a status without a code of ours is the nearest code", async () => {
    const store = await open({ listChunks: () => Promise.reject(new ConnectError("busy", Code.ResourceExhausted)) });
    await expect(store.stats()).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await expect(store.listChunks()).rejects.toMatchObject({ code: "OVERLOADED" });
  });

  test("closing the transport closes its connections", async () => {
    const store = await open({ healthCheck: async () => ({}) });
    await store.stats();
    expect(server?.connectionCount()).toBeGreaterThan(0);
    await transport?.close();
    await expect.poll(() => server?.connectionCount()).toBe(0);
    await expect(store.stats()).rejects.toMatchObject({ code: "STORE_CLOSED" });
  });
});

test("grpc-js refuses a URL with a path, which gRPC cannot have", () => {
  const call = (): unknown => grpcJsTransport().openChunkStore({ url: "http://localhost:1/prefix" });
  expect(call).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
});
