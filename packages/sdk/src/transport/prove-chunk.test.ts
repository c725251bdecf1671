import { createConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { createFetchHandler } from "@connectrpc/connect/protocol";
import { describe, expect, test } from "vitest";
import { bytesEqual, sha256Sync } from "../hash/index.ts";
import { isProvingChunkStore, type Transport } from "../ports/index.ts";
import { ChunkService } from "../rpc/index.ts";
import { httpTransport } from "./http.ts";
import { inProcessTransport } from "./in-process.ts";

const bytes = new Uint8Array([1, 2, 3, 4]);
const chunkId = sha256Sync(bytes);
const nonce = sha256Sync(new Uint8Array([9]));
const proofOf = (given: Uint8Array, content: Uint8Array): ReturnType<typeof sha256Sync> =>
  sha256Sync(Uint8Array.from([...given, ...content]));

/** Answers as a node does to the holder of a write grant. */
const node: Partial<ServiceImpl<typeof ChunkService>> = {
  hasChunks: async ({ proofs: [proof], claim }, { requestHeader }) => {
    expect([claim, requestHeader.get("authorization")]).toEqual([true, "Bearer g"]);
    const right = proof !== undefined && bytesEqual(proof, proofOf(nonce, bytes));
    return { chunks: [right ? { present: true, sizeBytes: 4n, nonce, receipt: "r" } : { present: false, nonce }] };
  },
};

const router = createConnectRouter();
router.service(ChunkService, node);
const handler = createFetchHandler(router.handlers.find(({ requestPath }) => requestPath.endsWith("/HasChunks"))!);

const overHandler: typeof fetch = async (input, init) => {
  const answer = await handler(new Request(input, init));
  answer.headers.set("ashlar-request-id", "r1");
  return answer;
};

describe.each<[string, () => Transport]>([
  ["over RPC", () => inProcessTransport({ routes: (routes) => void routes.service(ChunkService, node) })],
  ["over HTTP", () => httpTransport({ fetch: overHandler })],
])("a proof of possession %s", (_name, createTransport) => {
  const store = createTransport().openChunkStore({ url: "http://node" });
  if (!isProvingChunkStore(store)) throw new Error("remote stores take proofs");

  test("with the right bytes claims the chunk and gives its receipt", async () => {
    const claimed = await store.proveChunk(chunkId, (given) => proofOf(given, bytes), { grant: "g" });
    expect(claimed).toEqual({ sizeBytes: 4, alreadyPresent: true, receipt: "r" });
  });

  test("with other bytes is as if the chunk were absent", async () => {
    expect(await store.proveChunk(chunkId, (given) => proofOf(given, bytes.slice(1)), { grant: "g" })).toBeUndefined();
  });
});
