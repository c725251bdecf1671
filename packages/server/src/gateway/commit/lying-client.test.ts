/** A direct client that lies in every way we can think of, against a real gateway and four real nodes. */
import { createHash, randomBytes } from "node:crypto";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { type Digest, digestFromBytes, encodeHex } from "@ashlar/sdk/hash";
import { type MetadataStore, systemRandom } from "@ashlar/sdk/ports";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGrantKeeper } from "../../grants/index.ts";
import { createApiKey } from "../auth/api-key.ts";
import { codeOf, type DirectClient, directClient } from "../testing/direct-client.ts";
import { startTestCluster, type TestCluster } from "../testing/start-test-cluster.ts";
import { TEST_CLUSTER_KEY } from "../testing/start-test-gateway.ts";

const BUCKET = "honest";
const KEY = "key";
const HOUR_MS = 3_600_000;

let metadata: MetadataStore;
let cluster: TestCluster;
let client: DirectClient;

/** A chunk that an honest holder of a grant uploaded to its whole placement. */
interface Uploaded {
  readonly bytes: Uint8Array;
  readonly chunkId: Digest;
  readonly receipts: readonly string[];
  readonly placement: readonly string[];
}

interface ChunkInit {
  readonly chunkId: Uint8Array;
  readonly sizeBytes: bigint;
  readonly receipts: string[];
}

beforeAll(async () => {
  metadata = createMemoryMetadataStore({ replicationFactor: 3, stagedLayouts: true });
  const parts = {
    metadata,
    hasher: nodeCryptoHasher,
    transport: undiciTransport(),
    nodeCount: 4,
    openStore: () => createMemoryChunkStore(),
  };
  cluster = await startTestCluster(parts, { proofsOfPossession: true });
  // All at once: a layout of the first nodes only would allow places that the newest one does not.
  await metadata.changeLayout({ weights: Object.fromEntries([...cluster.nodeUrls.keys()].map((id) => [id, 1])) });
  client = directClient(cluster);
  const objects = client.objects(cluster.keys.readwrite);
  for (const bucket of [BUCKET, "other"]) await objects.createBucket({ bucket });
});

afterAll(async () => {
  await cluster.close();
});

const digestOf = (bytes: Uint8Array): Digest => digestFromBytes(createHash("sha256").update(bytes).digest());

const begin = (
  bucket = BUCKET,
  key = "",
  apiKey = cluster.keys.readwrite,
): Promise<{ ticket: string; grant: string }> => client.objects(apiKey).beginWrite({ bucket, key });

async function upload(
  grant: string,
  options: { bytes?: Uint8Array; nodeIds?: readonly string[] } = {},
): Promise<Uploaded> {
  const bytes = options.bytes ?? randomBytes(1000);
  const chunkId = digestOf(bytes);
  const placement = await client.nodesOf(chunkId);
  const receipts = await client.upload(bytes, chunkId, grant, options.nodeIds ?? placement);
  return { bytes, chunkId, receipts, placement };
}

const chunkOf = ({ chunkId, bytes, receipts }: Uploaded, more: Partial<ChunkInit> = {}): ChunkInit => ({
  chunkId,
  sizeBytes: BigInt(bytes.length),
  receipts: [...receipts],
  ...more,
});

/** Commits chunks. @returns the code of the error, or `none`. */
function commit(
  ticket: string,
  chunks: readonly ChunkInit[],
  more: { bucket?: string; key?: string; sizeBytes?: bigint; sha256?: string; apiKey?: string } = {},
): Promise<string> {
  const { apiKey = cluster.keys.readwrite, bucket = BUCKET, key = KEY, sha256 = "" } = more;
  const sizeBytes = more.sizeBytes ?? chunks.reduce((sum, chunk) => sum + chunk.sizeBytes, 0n);
  const content = { case: "chunked" as const, value: { chunks: [...chunks] } };
  return codeOf(client.objects(apiKey).commitWrite({ bucket, key, ticket, sizeBytes, sha256, content }));
}

describe("an honest direct client", () => {
  it("commits what it stored, and reads it back from the nodes", async () => {
    const { ticket, grant } = await begin();
    const [first, second] = [await upload(grant), await upload(grant)];
    expect(first.placement.length).toBe(3);
    const chunks = [chunkOf(first), chunkOf(second), chunkOf(first, { receipts: [] })];
    expect(await commit(ticket, chunks)).toBe("none");
    const located = await client.objects(cluster.keys.readonly).locate({ bucket: BUCKET, key: KEY });
    expect(located.info).toMatchObject({ sizeBytes: 3000n, etag: expect.stringMatching(/^[0-9a-f]{32}-3$/) });
    expect(located.chunks.map((chunk) => Number(chunk.offset))).toEqual([0, 1000, 2000]);
    for (const [index, { bytes }] of [first, second, first].entries()) {
      const chunk = located.chunks[index]!;
      const frames: Uint8Array[] = [];
      const node = client.chunks(first.placement[0]!, chunk.grant);
      if (index === 1) continue;
      for await (const { frame } of node.getChunk({ chunkId: chunk.chunkId })) frames.push(frame);
      expect(Buffer.concat(frames).equals(bytes)).toBe(true);
    }
  });

  it("needs only the write quorum; what is missing goes to the repair queue", async () => {
    const { ticket, grant } = await begin();
    const bytes = randomBytes(1000);
    const placement = await client.nodesOf(digestOf(bytes));
    const chunk = await upload(grant, { bytes, nodeIds: placement.slice(0, 2) });
    expect(await commit(ticket, [chunkOf(chunk)], { sha256: encodeHex(chunk.chunkId) })).toBe("none");
    const repairs = await metadata.listRepairs({ limit: 1000 });
    expect(
      repairs.filter((each) => encodeHex(each.chunkId) === encodeHex(chunk.chunkId)).map((each) => each.nodeId),
    ).toEqual([placement[2]]);
    expect((await client.objects(cluster.keys.readonly).headObject({ bucket: BUCKET, key: KEY })).info?.sha256).toBe(
      encodeHex(chunk.chunkId),
    );
  });

  it("may store through the gateway's chunk API, with one receipt for the quorum", async () => {
    const { ticket, grant } = await begin();
    const bytes = randomBytes(1000);
    const chunkId = digestOf(bytes);
    const receipts = await client.upload(bytes, chunkId, grant, ["gateway"]);
    expect(await commit(ticket, [chunkOf({ bytes, chunkId, receipts, placement: [] })])).toBe("none");
  });

  it("renews its ticket, and its receipts stay good", async () => {
    const { ticket, grant } = await begin();
    const chunk = await upload(grant);
    const renewed = await client.objects(cluster.keys.readwrite).beginWrite({ bucket: BUCKET, renew: ticket });
    expect(renewed.ticket).not.toBe(ticket);
    expect(await commit(renewed.ticket, [chunkOf(chunk), chunkOf(await upload(renewed.grant))])).toBe("none");
  });

  it("proves that it has bytes which the store has, instead of sending them", async () => {
    const stored = await upload((await begin()).grant);
    const { ticket, grant } = await begin();
    const receipts: string[] = [];
    for (const nodeId of stored.placement) {
      const node = client.chunks(nodeId, grant);
      const asked = await node.hasChunks({ chunkIds: [stored.chunkId] });
      expect(asked.chunks[0]).toMatchObject({ present: false, receipt: "" });
      const proof = createHash("sha256").update(asked.chunks[0]!.nonce).update(stored.bytes).digest();
      const proven = await node.hasChunks({ chunkIds: [stored.chunkId], claim: true, proofs: [proof] });
      expect(proven.chunks[0]).toMatchObject({ present: true, sizeBytes: 1000n });
      receipts.push(proven.chunks[0]!.receipt);
    }
    expect(await commit(ticket, [chunkOf(stored, { receipts })])).toBe("none");
  });
});

describe("an honest client of the gateway's chunk API", () => {
  it("proves possession there, for one receipt of the quorum", async () => {
    const stored = await upload((await begin()).grant);
    const { ticket, grant } = await begin();
    const api = client.chunks("gateway", grant);
    const prove = async (): Promise<{ readonly present: boolean; readonly receipt: string }> => {
      const [asked] = (await api.hasChunks({ chunkIds: [stored.chunkId] })).chunks;
      const proof = createHash("sha256").update(asked!.nonce).update(stored.bytes).digest();
      const { chunks } = await api.hasChunks({ chunkIds: [stored.chunkId], claim: true, proofs: [proof] });
      return chunks[0]!;
    };
    const proven = await prove();
    expect(proven.present).toBe(true);
    expect(await commit(ticket, [chunkOf(stored, { receipts: [proven.receipt] })])).toBe("none");
    const [first, second] = stored.placement;
    await cluster.stores.get(first!)?.deleteChunks([stored.chunkId], { unclaimedForMs: 0 });
    expect((await prove()).present).toBe(true);
    await cluster.stores.get(second!)?.deleteChunks([stored.chunkId], { unclaimedForMs: 0 });
    // Still readable, but no quorum holds it: it has to be uploaded again.
    expect(await prove()).toMatchObject({ present: false, receipt: "" });
  });

  it("pages through a manifest by its signed handle", async () => {
    const { ticket, grant } = await begin();
    const stored = [await upload(grant), await upload(grant), await upload(grant)];
    await commit(
      ticket,
      stored.map((each) => chunkOf(each)),
      { key: "paged" },
    );
    const objects = client.objects(cluster.keys.readonly);
    const first = await objects.locate({ bucket: BUCKET, key: "paged", chunkLimit: 2 });
    expect([first.chunks.length, first.nextOffset]).toEqual([2, 2000n]);
    const { manifestId, nextOffset: fromOffset } = first;
    const second = await objects.locate({ bucket: BUCKET, key: "paged", manifestId, fromOffset });
    expect(second).toMatchObject({
      chunks: [{ offset: 2000n, chunkId: new Uint8Array(stored[2]!.chunkId) }],
      nextOffset: 0n,
    });
    expect(second.info).toBeUndefined();
    const head = await objects.locate({ bucket: BUCKET, key: "paged", chunkLimit: 0 });
    expect([head.info?.sizeBytes, head.chunks]).toEqual([3000n, []]);
    await client.objects(cluster.keys.readwrite).deleteObject({ bucket: BUCKET, key: "paged" });
    expect((await objects.locate({ bucket: BUCKET, key: "paged", manifestId })).chunks.length).toBe(3);
  });
});

describe("receipts that lie", () => {
  let ticket: string;
  let grant: string;
  let honest: Uploaded;
  beforeAll(async () => {
    ({ ticket, grant } = await begin());
    honest = await upload(grant);
  });
  const attempt = (receipts: readonly string[], more: Partial<ChunkInit> = {}): Promise<string> =>
    commit(ticket, [chunkOf(honest, { receipts: [...receipts], ...more })]);

  it("are refused if there are none", async () => {
    expect(await attempt([])).toBe("PERMISSION_DENIED");
  });

  it("are refused if they belong to another ticket", async () => {
    const other = await upload((await begin()).grant, { bytes: honest.bytes });
    expect(await attempt(other.receipts)).toBe("PERMISSION_DENIED");
    expect(await attempt([...honest.receipts.slice(0, 2), other.receipts[2]!])).toBe("PERMISSION_DENIED");
  });

  it("are refused for another chunk, also one that nobody ever stored", async () => {
    const other = await upload(grant);
    expect(await attempt(other.receipts)).toBe("PERMISSION_DENIED");
    const never = randomBytes(1000);
    expect(await commit(ticket, [chunkOf(honest, { chunkId: digestOf(never) })])).toBe("PERMISSION_DENIED");
  });

  it("are refused for another size", async () => {
    expect(await attempt(honest.receipts, { sizeBytes: 1001n })).toBe("PERMISSION_DENIED");
    expect(await attempt(honest.receipts, { sizeBytes: 1n })).toBe("PERMISSION_DENIED");
  });

  it("are refused after their end, with the advice to upload again", async () => {
    const past = createGrantKeeper({
      clusterKey: TEST_CLUSTER_KEY,
      clock: { nowMs: () => Date.now() - 24 * HOUR_MS },
      random: systemRandom,
    });
    const { ticketId } = await cluster.keeper.verify(ticket, ["ticket"]);
    const { chunkId, placement } = honest;
    const facts = placement.map((nodeId) => ({ ticketId, chunkId, sizeBytes: 1000, nodeId }));
    const stale = await Promise.all(facts.map((fact) => past.issueNodeReceipt(fact)));
    expect(await attempt(stale)).toBe("CLAIM_EXPIRED");
    const fresh = await Promise.all(facts.map((fact) => cluster.keeper.issueNodeReceipt(fact)));
    expect(await attempt([fresh[0]!, ...stale.slice(1)])).toBe("CLAIM_EXPIRED");
    // One node whose clock is behind stops nobody: the others are a quorum.
    expect(await attempt([...fresh.slice(0, 2), stale[2]!])).toBe("none");
    expect(await attempt(fresh)).toBe("none");
  });

  it("are refused if two are of one node", async () => {
    const again = await upload(grant, { bytes: honest.bytes, nodeIds: honest.placement.slice(0, 1) });
    // The same receipt twice counts once; a second receipt of the node is another text.
    expect(await attempt([honest.receipts[0]!, honest.receipts[0]!])).toBe("QUORUM_NOT_REACHED");
    if (again.receipts[0] !== honest.receipts[0]) {
      expect(await attempt([honest.receipts[0]!, again.receipts[0]!])).toBe("PERMISSION_DENIED");
    }
  });

  it("are refused below the write quorum", async () => {
    expect(await attempt(honest.receipts.slice(0, 1))).toBe("QUORUM_NOT_REACHED");
  });

  it("are refused if too few nodes of the layout gave them, or one that it does not name", async () => {
    const [outside] = await client.outsideOf(honest.chunkId);
    const [receipt] = (await upload(grant, { bytes: honest.bytes, nodeIds: [outside!] })).receipts;
    expect(await attempt([receipt!])).toBe("LAYOUT_STALE");
    const { ticketId } = await cluster.keeper.verify(ticket, ["ticket"]);
    const facts = { ticketId, chunkId: honest.chunkId, sizeBytes: 1000 };
    const unknown = await cluster.keeper.issueNodeReceipt({ ...facts, nodeId: "node-99" });
    expect(await attempt([honest.receipts[0]!, unknown])).toBe("LAYOUT_STALE");
    expect(await attempt([...honest.receipts, unknown])).toBe("LAYOUT_STALE");
  });

  it("of a node outside of the placement count as those of a stand-in: what it holds is copied to where it belongs", async () => {
    const fresh = await begin();
    const stored = await upload(fresh.grant);
    const [outside] = await client.outsideOf(stored.chunkId);
    const [receipt] = (await upload(fresh.grant, { bytes: stored.bytes, nodeIds: [outside!] })).receipts;
    const chunk = chunkOf(stored, { receipts: [stored.receipts[0]!, receipt!] });
    expect(await commit(fresh.ticket, [chunk], { key: "handed off" })).toBe("none");
    const queued = (await metadata.listRepairs({ limit: 100 })).filter(
      ({ chunkId }) => encodeHex(chunkId) === encodeHex(stored.chunkId),
    );
    expect(queued.map(({ nodeId }) => nodeId).sort()).toEqual(stored.placement.slice(1).toSorted());
    // The stand-in's copy counts.
    expect(await metadata.copiesOf([stored.chunkId])).toMatchObject([{ wanted: 3, held: 2 }]);
    // A copy too many is no reason to refuse it.
    expect(await commit(fresh.ticket, [chunkOf(stored, { receipts: [...stored.receipts, receipt!] })])).toBe("none");
  });

  it("are refused for a layout that is not in use", async () => {
    const { ticketId } = await cluster.keeper.verify(ticket, ["ticket"]);
    const facts = { ticketId, chunkId: honest.chunkId, sizeBytes: 1000, nodeIds: ["a"], missedNodeIds: [] };
    for (const layoutVersion of [0, 999]) {
      expect(await attempt([await cluster.keeper.issueGatewayReceipt({ ...facts, layoutVersion })])).toBe(
        "LAYOUT_STALE",
      );
    }
  });

  it("are refused if forged, truncated, spliced or of another kind", async () => {
    const foreign = createGrantKeeper({
      clusterKey: `${TEST_CLUSTER_KEY}!`,
      clock: { nowMs: Date.now },
      random: systemRandom,
    });
    const { ticketId } = await cluster.keeper.verify(ticket, ["ticket"]);
    const facts = { ticketId, chunkId: honest.chunkId, sizeBytes: 1000 };
    const forged = await Promise.all(honest.placement.map((nodeId) => foreign.issueNodeReceipt({ ...facts, nodeId })));
    expect(await attempt(forged)).toBe("UNAUTHENTICATED");
    const [a, b] = honest.receipts as [string, string];
    const spliced = `${a.split(".")[0]}.${b.split(".")[1]}`;
    for (const bad of [a.slice(0, -1), a.slice(1), spliced, "", ".", "x".repeat(20_000)]) {
      expect(await attempt([bad, b]), bad.slice(0, 50)).toBe("UNAUTHENTICATED");
    }
    for (const other of [
      ticket,
      grant,
      await cluster.keeper.issueRead({ chunkId: honest.chunkId }),
      await cluster.keeper.issueCluster(),
    ]) {
      expect(await attempt([other, b])).toBe("PERMISSION_DENIED");
    }
  });

  it("are refused if there are more than there can be replicas", async () => {
    expect(await attempt(Array.from({ length: 17 }, (_, index) => `${honest.receipts[0]}${index}`))).toBe(
      "INVALID_ARGUMENT",
    );
  });

  it("left nothing behind", async () => {
    const { ticket: fresh } = await begin();
    const code = await commit(fresh, [chunkOf(honest)], { key: "never" });
    expect(code).toBe("PERMISSION_DENIED");
    expect(await codeOf(client.objects(cluster.keys.readonly).headObject({ bucket: BUCKET, key: "never" }))).toBe(
      "OBJECT_NOT_FOUND",
    );
  });
});

describe("tickets that lie", () => {
  it("are refused for another bucket, key or API key", async () => {
    const other = await begin("other");
    expect(await commit(other.ticket, [chunkOf(await upload(other.grant))])).toBe("PERMISSION_DENIED");
    const oneKey = await begin(BUCKET, "one");
    const chunk = await upload(oneKey.grant);
    expect(await commit(oneKey.ticket, [chunkOf(chunk)], { key: "two" })).toBe("PERMISSION_DENIED");
    expect(await commit(oneKey.ticket, [chunkOf(chunk)], { key: "one", apiKey: cluster.keys.admin })).toBe(
      "PERMISSION_DENIED",
    );
    expect(await commit(oneKey.ticket, [chunkOf(chunk)], { key: "one" })).toBe("none");
  });

  it("are refused with a readonly key, which gets none either", async () => {
    const { ticket, grant } = await begin();
    const chunk = await upload(grant);
    expect(await commit(ticket, [chunkOf(chunk)], { apiKey: cluster.keys.readonly })).toBe("PERMISSION_DENIED");
    expect(await codeOf(begin(BUCKET, "", cluster.keys.readonly))).toBe("PERMISSION_DENIED");
  });

  it("are refused if missing, forged, expired or of another kind", async () => {
    const { ticket, grant } = await begin();
    const chunk = chunkOf(await upload(grant));
    const past = createGrantKeeper({
      clusterKey: TEST_CLUSTER_KEY,
      clock: { nowMs: () => Date.now() - HOUR_MS },
      random: systemRandom,
    });
    const { ticketId, apiKeyId } = await cluster.keeper.verify(ticket, ["ticket"]);
    expect(await commit("", [chunk])).toBe("UNAUTHENTICATED");
    expect(await commit(ticket.slice(0, -2), [chunk])).toBe("UNAUTHENTICATED");
    expect(await commit(await past.issueTicket({ ticketId, apiKeyId, bucket: BUCKET }), [chunk])).toBe(
      "UNAUTHENTICATED",
    );
    expect(await commit(grant, [chunk])).toBe("PERMISSION_DENIED");
    expect(await commit(chunk.receipts[0]!, [chunk])).toBe("PERMISSION_DENIED");
  });

  it("are not renewed for another scope", async () => {
    const { ticket, grant } = await begin(BUCKET, "one");
    const renew = (bucket: string, key: string, token = ticket, apiKey = cluster.keys.readwrite): Promise<string> =>
      codeOf(client.objects(apiKey).beginWrite({ bucket, key, renew: token }));
    expect(await renew("other", "one")).toBe("PERMISSION_DENIED");
    expect(await renew(BUCKET, "")).toBe("PERMISSION_DENIED");
    expect(await renew(BUCKET, "two")).toBe("PERMISSION_DENIED");
    expect(await renew(BUCKET, "one", ticket, cluster.keys.admin)).toBe("PERMISSION_DENIED");
    expect(await renew(BUCKET, "one", grant)).toBe("PERMISSION_DENIED");
    expect(await renew(BUCKET, "one", `${ticket}x`)).toBe("UNAUTHENTICATED");
    expect(await renew(BUCKET, "one")).toBe("none");
    expect(await codeOf(begin("nowhere"))).toBe("BUCKET_NOT_FOUND");
  });
});

describe("contents that lie", () => {
  let ticket: string;
  let honest: Uploaded;
  beforeAll(async () => {
    const write = await begin();
    ticket = write.ticket;
    honest = await upload(write.grant);
  });

  it("are refused if sizes do not add up, vanish or overflow", async () => {
    const chunk = chunkOf(honest);
    for (const sizeBytes of [0n, 999n, 1001n, 2n ** 53n - 1n])
      expect(await commit(ticket, [chunk], { sizeBytes })).toBe("INVALID_ARGUMENT");
    expect(await commit(ticket, [chunk], { sizeBytes: 2n ** 53n })).toBe("INVALID_ARGUMENT");
    expect(await commit(ticket, [chunk], { sizeBytes: 2n ** 64n - 1n })).toBe("INVALID_ARGUMENT");
    for (const sizeBytes of [0n, 2n ** 30n + 1n, 2n ** 53n, 2n ** 64n - 1n]) {
      expect(await commit(ticket, [{ ...chunk, sizeBytes }], { sizeBytes: 1000n })).toBe("INVALID_ARGUMENT");
    }
    // Wraps to 1000 in 64 bits.
    const wrapping = [chunk, { ...chunk, sizeBytes: 2n ** 63n }, { ...chunk, sizeBytes: 2n ** 63n }];
    expect(await commit(ticket, wrapping, { sizeBytes: 1000n })).toBe("INVALID_ARGUMENT");
  });

  it("are refused without chunks, with two sizes for one chunk, with ids that are none", async () => {
    expect(await commit(ticket, [], { sizeBytes: 0n })).toBe("INVALID_ARGUMENT");
    expect(await commit(ticket, [chunkOf(honest), chunkOf(honest, { sizeBytes: 999n })])).toBe("INVALID_ARGUMENT");
    for (const length of [0, 31, 33]) {
      expect(await commit(ticket, [chunkOf(honest, { chunkId: new Uint8Array(length) })])).toBe("INVALID_ARGUMENT");
    }
    expect(await codeOf(client.objects(cluster.keys.readwrite).commitWrite({ bucket: BUCKET, key: KEY, ticket }))).toBe(
      "INVALID_ARGUMENT",
    );
  });

  it("are refused if a digest is not that of the one chunk", async () => {
    expect(await commit(ticket, [chunkOf(honest)], { sha256: "0".repeat(64) })).toBe("CHECKSUM_MISMATCH");
    expect(await commit(ticket, [chunkOf(honest), chunkOf(honest)], { sha256: "zz" })).toBe("INVALID_ARGUMENT");
  });

  it("are refused inline above the limit, with another size or another digest", async () => {
    const inline = (value: Uint8Array, more: object = {}): Promise<string> =>
      codeOf(
        client.objects(cluster.keys.readwrite).commitWrite({
          bucket: BUCKET,
          key: KEY,
          sizeBytes: BigInt(value.length),
          content: { case: "inline", value },
          ...more,
        }),
      );
    expect(await inline(new Uint8Array(32_769))).toBe("OBJECT_TOO_LARGE");
    expect(await inline(new Uint8Array(10), { sizeBytes: 11n })).toBe("INVALID_ARGUMENT");
    expect(await inline(new Uint8Array(10), { sha256: "0".repeat(64) })).toBe("CHECKSUM_MISMATCH");
    expect(await inline(new Uint8Array(10), { ticket: "x" })).toBe("UNAUTHENTICATED");
    expect(await inline(new Uint8Array(10), { bucket: "nowhere" })).toBe("BUCKET_NOT_FOUND");
    expect(await inline(new Uint8Array(10), { key: "k".repeat(1025) })).toBe("INVALID_ARGUMENT");
    expect(await inline(new Uint8Array(32_768))).toBe("none");
  });

  it("are refused in parts, too", async () => {
    const objects = client.objects(cluster.keys.readwrite);
    const { upload: started } = await objects.createUpload({ bucket: BUCKET, key: "multi" });
    const uploadId = started!.uploadId;
    const part = (ticketText: string, chunks: ChunkInit[], more: object = {}): Promise<string> => {
      const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.sizeBytes, 0n);
      return codeOf(
        objects.commitPart({ ticket: ticketText, uploadId, partNumber: 1, sizeBytes, content: { chunks }, ...more }),
      );
    };
    const other = await begin("other");
    expect(await part(other.ticket, [chunkOf(await upload(other.grant))])).toBe("PERMISSION_DENIED");
    expect(await part(ticket, [chunkOf(honest, { receipts: [] })])).toBe("PERMISSION_DENIED");
    expect(await part(ticket, [chunkOf(honest)], { sizeBytes: 7n })).toBe("INVALID_ARGUMENT");
    expect(await part(ticket, [chunkOf(honest)], { uploadId: "none" })).toBe("UPLOAD_NOT_FOUND");
    expect(await part("", [chunkOf(honest)])).toBe("UNAUTHENTICATED");
    expect(await part(ticket, [], { sizeBytes: 5n })).toBe("INVALID_ARGUMENT");
    expect(await part(ticket, [chunkOf(honest)])).toBe("none");
    const { parts } = await objects.listParts({ uploadId });
    const { info } = await objects.completeUpload({
      uploadId,
      parts: parts.map(({ partNumber, etag }) => ({ partNumber, etag })),
    });
    expect(info).toMatchObject({ key: "multi", sizeBytes: 1000n });
  });
});

describe("chunks are kept from a client", () => {
  let ticket: string;
  let grant: string;
  let mine: Uploaded;
  let another: Uploaded;
  beforeAll(async () => {
    ({ ticket, grant } = await begin());
    mine = await upload(grant);
    another = await upload((await begin()).grant);
  });
  async function read(nodeId: string, token: string | undefined, chunkId: Digest): Promise<string> {
    const work = async (): Promise<void> => {
      for await (const _ of client.chunks(nodeId, token).getChunk({ chunkId }));
    };
    return await codeOf(work());
  }

  it("that has no read grant for them, on nodes and on the gateway", async () => {
    const readAnother = await cluster.keeper.issueRead({ chunkId: another.chunkId });
    for (const nodeId of [mine.placement[0]!, "gateway"]) {
      expect(await read(nodeId, undefined, mine.chunkId)).toBe("UNAUTHENTICATED");
      expect(await read(nodeId, "nonsense", mine.chunkId)).toBe("UNAUTHENTICATED");
      expect(await read(nodeId, cluster.keys.admin, mine.chunkId)).toBe("UNAUTHENTICATED");
      for (const token of [readAnother, grant, ticket, mine.receipts[0]]) {
        expect(await read(nodeId, token, mine.chunkId)).toBe("PERMISSION_DENIED");
      }
      const readMine = await cluster.keeper.issueRead({ chunkId: mine.chunkId });
      expect(await read(nodeId, readMine, mine.chunkId)).toBe("none");
    }
  });

  it("that wants them over plain HTTP without a grant", async () => {
    const readAnother = await cluster.keeper.issueRead({ chunkId: another.chunkId });
    for (const base of [cluster.nodeUrls.get(mine.placement[0]!), cluster.url]) {
      const statuses: number[] = [];
      for (const token of [undefined, cluster.keys.admin, readAnother, grant]) {
        const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
        const answer = await fetch(`${base}/chunks/${encodeHex(mine.chunkId)}`, { headers });
        await answer.arrayBuffer();
        statuses.push(answer.status);
      }
      expect(statuses).toEqual([401, 401, 403, 403]);
    }
  });

  it("that wants to delete or list them", async () => {
    const readMine = await cluster.keeper.issueRead({ chunkId: mine.chunkId });
    for (const token of [grant, readMine, ticket]) {
      const node = client.chunks(mine.placement[0]!, token);
      expect(await codeOf(node.deleteChunk({ chunkIds: [mine.chunkId] }))).toBe("PERMISSION_DENIED");
      expect(await codeOf(node.listChunks({}))).toBe("PERMISSION_DENIED");
    }
    const keyed = client.chunks(mine.placement[0]!, cluster.keys.admin);
    expect(await codeOf(keyed.deleteChunk({ chunkIds: [mine.chunkId] }))).toBe("UNAUTHENTICATED");
    expect(
      await codeOf(
        client.chunks("gateway", await cluster.keeper.issueCluster()).deleteChunk({ chunkIds: [mine.chunkId] }),
      ),
    ).toBe("UNSUPPORTED");
    expect(await read(mine.placement[0]!, readMine, mine.chunkId)).toBe("none");
  });

  it("that only knows their digest, or proves possession of other bytes", async () => {
    const node = client.chunks(mine.placement[0]!, (await begin()).grant);
    const chunkIds = [mine.chunkId, digestOf(randomBytes(9))];
    const { chunks } = await node.hasChunks({ chunkIds, claim: true });
    expect(chunks.map(({ present, sizeBytes, receipt }) => [present, sizeBytes, receipt])).toEqual([
      [false, 0n, ""],
      [false, 0n, ""],
    ]);
    const wrong = createHash("sha256").update(chunks[0]!.nonce).update(another.bytes).digest();
    const replayed = createHash("sha256").update(chunks[1]!.nonce).update(mine.bytes).digest();
    for (const proof of [wrong, replayed, mine.chunkId, new Uint8Array(32)]) {
      const proven = await node.hasChunks({ chunkIds: [mine.chunkId], claim: true, proofs: [proof] });
      expect(proven.chunks[0]).toMatchObject({ present: false, receipt: "" });
    }
    const readMine = await cluster.keeper.issueRead({ chunkId: mine.chunkId });
    expect(await codeOf(client.chunks(mine.placement[0]!, readMine).hasChunks({ chunkIds: [mine.chunkId] }))).toBe(
      "PERMISSION_DENIED",
    );
  });

  it("that stores bytes under a digest which is not theirs", async () => {
    for (const nodeId of [mine.placement[0]!, "gateway"]) {
      const writing = client
        .chunks(nodeId, grant)
        .writeChunk({ chunkId: digestOf(randomBytes(5)), data: randomBytes(5) });
      expect(await codeOf(writing)).toBe("CHUNK_DIGEST_MISMATCH");
    }
  });

  it("that makes up manifest handles", async () => {
    await commit(ticket, [chunkOf(mine)], { key: "located" });
    const objects = client.objects(cluster.keys.readonly);
    const located = await objects.locate({ bucket: BUCKET, key: "located" });
    const raw = (await metadata.getObject({ bucket: BUCKET, key: "located" }))?.manifestId ?? "";
    const again = (manifestId: string): Promise<string> =>
      codeOf(objects.locate({ bucket: BUCKET, key: "located", manifestId }));
    expect(await again(raw)).toBe("UNAUTHENTICATED");
    expect(await again(`${located.manifestId}A`)).toBe("UNAUTHENTICATED");
    expect(await again(located.chunks[0]!.grant)).toBe("PERMISSION_DENIED");
    expect(await again(located.manifestId)).toBe("none");
    expect(await codeOf(client.objects(undefined).locate({ bucket: BUCKET, key: "located" }))).toBe("UNAUTHENTICATED");
  });
});

describe("the cluster is kept from a client", () => {
  it("that registers, beats or stops nodes with an API key or a grant of another kind", async () => {
    const { ticket, grant } = await begin();
    const registration = { nodeId: "evil", url: "http://127.0.0.1:1", softwareVersion: "1" };
    const attempts = (token: string | undefined): Promise<string[]> => {
      const service = client.cluster(token);
      return Promise.all([
        codeOf(service.registerNode(registration)),
        codeOf(service.heartbeat({ nodeId: "node-1", stats: {} })),
        codeOf(service.stopNode({ nodeId: "node-1" })),
      ]);
    };
    const all = (code: string): string[] => [code, code, code];
    for (const key of [cluster.keys.admin, cluster.keys.readwrite, ticket, grant])
      expect(await attempts(key)).toEqual(all("PERMISSION_DENIED"));
    expect(await attempts(undefined)).toEqual(all("UNAUTHENTICATED"));
    const { nodes } = await client.cluster(cluster.keys.readonly).getCluster({ placementFormat: 2 });
    expect(nodes.map((node) => node.nodeId)).toEqual(["node-1", "node-2", "node-3", "node-4"]);
  });

  it("that changes the layout without an admin key", async () => {
    const change = (token: string | undefined): Promise<string> =>
      codeOf(client.cluster(token).changeLayout({ weights: { "node-1": 0 } }));
    expect(await change(cluster.keys.readwrite)).toBe("PERMISSION_DENIED");
    expect(await change(await cluster.keeper.issueCluster())).toBe("PERMISSION_DENIED");
  });

  it("that uses a cluster grant as an API key, or a key with another secret, another id, or one that was deleted", async () => {
    expect(await codeOf(client.objects(await cluster.keeper.issueCluster()).listBuckets({}))).toBe("PERMISSION_DENIED");
    const { apiKey, record } = await createApiKey({
      metadata,
      random: systemRandom,
      name: "short-lived",
      role: "admin",
    });
    const list = (token: string): Promise<string> => codeOf(client.objects(token).listBuckets({}));
    expect(await list(`${apiKey.slice(0, -1)}${apiKey.endsWith("A") ? "E" : "A"}`)).toBe("UNAUTHENTICATED");
    expect(await list(apiKey.replace(record.keyId, "0".repeat(16)))).toBe("UNAUTHENTICATED");
    // A gateway that used the key lately accepts it for half a minute more; this one only saw wrong secrets.
    await metadata.deleteApiKey(record.keyId);
    expect(await list(apiKey)).toBe("UNAUTHENTICATED");
    expect(await codeOf(client.objects(undefined).listBuckets({}))).toBe("UNAUTHENTICATED");
  });
});
