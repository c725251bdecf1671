/**
 * How fast chunks move to and from one storage node over each transport, beside the limit of bare HTTP: undici to node:http and SHA-256.
 * Client and server are processes of their own; every round measures all of them in turn. Prints medians and ratios to the bare limit.
 *
 * Run: npm run bench:transports -- [MIB=256] [ROUNDS=5] [CHUNK_MIB=4] [names of transports…]
 */
import { spawn } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { grpcTransport } from "@ashlar/adapters/transport/grpc";
import { grpcJsTransport } from "@ashlar/adapters/transport/grpc-js";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { MIB } from "@ashlar/sdk";
import { encodeHex } from "@ashlar/sdk/hash";
import type { Digest, Transport } from "@ashlar/sdk/ports";
import { connectTransport } from "@ashlar/sdk/transport/connect";
import { grpcWebTransport } from "@ashlar/sdk/transport/grpc-web";
import { httpTransport } from "@ashlar/sdk/transport/http";
import { Agent } from "undici";
import { median, megabytesPerSecond } from "./statistics.ts";

const [mib = 256, rounds = 5, chunkMib = 4] = process.argv.slice(2, 5).map(Number);
const only = process.argv.slice(5);
const IN_FLIGHT = 4;
const chunkBytes = chunkMib * MIB;
const chunkCount = Math.ceil(mib / chunkMib);

/** One way to move chunks. */
interface Way {
  put(chunkId: Digest, bytes: Uint8Array): Promise<unknown>;
  get(chunkId: Digest): Promise<{ readonly byteLength: number } | undefined>;
  close(): Promise<void>;
}

const TRANSPORTS: Readonly<Record<string, () => Transport>> = {
  "http (undici)": undiciTransport,
  "http (fetch)": httpTransport,
  connect: connectTransport,
  "grpc-web": grpcWebTransport,
  grpc: grpcTransport,
  "grpc-js": grpcJsTransport,
};

function bareWay(url: string): Way {
  const agent = new Agent({ allowH2: false, connections: IN_FLIGHT, pipelining: 1 });
  const path = (chunkId: Digest): string => `/chunks/${encodeHex(chunkId)}`;
  return {
    async put(chunkId, body) {
      const answer = await agent.request({ origin: url, path: path(chunkId), method: "PUT", body });
      if ((await answer.body.text()) !== encodeHex(chunkId)) throw new Error("the bare server got other bytes");
    },
    get: async (chunkId) =>
      (await agent.request({ origin: url, path: path(chunkId), method: "GET" })).body.arrayBuffer(),
    close: () => agent.close(),
  };
}

function transportWay(url: string, transport: Transport): Way {
  const store = transport.openChunkStore({ url });
  return {
    put: (chunkId, bytes) => store.putChunk(chunkId, bytes),
    get: (chunkId) => store.getChunk(chunkId),
    close: () => transport.close(),
  };
}

async function startServer(
  ...parameters: readonly string[]
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const program = new URL("./transport-server.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, ["--conditions=ashlar-source", program, ...parameters], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (line: Buffer) => resolve(line.toString().trim()));
    child.once("exit", () => reject(new Error("the server did not start")));
  });
  return {
    url,
    async close() {
      child.stdin.end();
      await exited;
    },
  };
}

/** Runs `work` for every chunk, {@link IN_FLIGHT} at once. @returns MB/s. */
async function measure(work: (index: number, lane: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const startedAtMs = performance.now();
  const lane = async (_: unknown, laneIndex: number): Promise<void> => {
    while (next < chunkCount) await work(next++, laneIndex);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return megabytesPerSecond(chunkCount * chunkBytes, performance.now() - startedAtMs);
}

/** Puts unique chunks, whose ids the client computes as an engine does, and gets them back. */
async function putAndGet(way: Way): Promise<{ readonly put: number; readonly get: number }> {
  const buffers = Array.from({ length: IN_FLIGHT }, () => randomFillSync(Buffer.allocUnsafeSlow(chunkBytes)));
  const chunkIds: Digest[] = [];
  const put = await measure(async (index, lane) => {
    const bytes = buffers[lane] as Buffer;
    bytes.writeDoubleLE(index, 0);
    const chunkId = await nodeCryptoHasher.digest(bytes);
    chunkIds[index] = chunkId;
    await way.put(chunkId, bytes);
  });
  const get = await measure(async (index) => {
    const bytes = await way.get(chunkIds[index] as Digest);
    if (bytes?.byteLength !== chunkBytes) throw new Error("a chunk came back short");
  });
  return { put, get };
}

async function round(figures: Map<string, { put: number; get: number }[]>): Promise<void> {
  const note = (name: string, figure: { put: number; get: number }): void =>
    void figures.set(name, [...(figures.get(name) ?? []), figure]);
  const bare = await startServer("bare", "-", String(chunkBytes));
  const bareClient = bareWay(bare.url);
  note("bare", await putAndGet(bareClient));
  await bareClient.close();
  await bare.close();
  for (const [name, create] of Object.entries(TRANSPORTS)) {
    if (only.length > 0 && !only.includes(name)) continue;
    const folder = await mkdtemp(join(process.cwd(), ".bench-"));
    const server = await startServer("node", folder);
    const way = transportWay(server.url, create());
    note(name, await putAndGet(way));
    await way.close();
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

const figures = new Map<string, { put: number; get: number }[]>();
for (let index = 0; index < rounds; index++) await round(figures);
console.log(
  `one node, durability os, ${mib} MiB in chunks of ${chunkMib} MiB, ${IN_FLIGHT} in flight, ${rounds} rounds:`,
);
console.log("median MB/s (median ratio to bare HTTP in the same round; bare GET reads no disk)");
const bareRounds = figures.get("bare") ?? [];
for (const [name, each] of figures) {
  const cell = (way: "put" | "get"): string => {
    const ratio = median(each.map((figure, index) => figure[way] / (bareRounds[index]?.[way] ?? Number.NaN)));
    return `${median(each.map((figure) => figure[way]))
      .toFixed(0)
      .padStart(6)} (${ratio.toFixed(2)})`;
  };
  console.log(`${name.padEnd(14)} put ${cell("put")}  get ${cell("get")}`);
}
