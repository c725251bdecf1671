/** A page with an access token that talks to gateway and nodes itself, and tries to get more than its scope out of what it is given. */
import { createHash, randomBytes } from "node:crypto";
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { singleStoreTopology } from "@ashlar/sdk/engine";
import { type Digest, digestFromBytes } from "@ashlar/sdk/hash";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeOf } from "../testing/direct-client.ts";
import { startTestGateway } from "../testing/start-test-gateway.ts";
import { startTokenCluster, type TokenCluster } from "../testing/token-cluster.ts";

let cluster: TokenCluster;
beforeAll(async () => {
  cluster = await startTokenCluster({
    metadata: createMemoryMetadataStore({ replicationFactor: 3 }),
    hasher: nodeCryptoHasher,
    transport: undiciTransport(),
    openStore: () => createMemoryChunkStore(),
  });
  for (const bucket of ["mine", "theirs"]) await cluster.client.objects(cluster.keys.admin).createBucket({ bucket });
});
afterAll(() => cluster.close());

interface Uploaded {
  readonly ticket: string;
  readonly chunks: { chunkId: Digest; sizeBytes: bigint; receipts: string[] }[];
}

/** Stores a chunk under a ticket of the token, on all its nodes. */
async function upload(token: string, key = ""): Promise<Uploaded> {
  const { client } = cluster;
  const bytes = randomBytes(100_000);
  const chunkId = digestFromBytes(createHash("sha256").update(bytes).digest());
  const { ticket, grant } = await client.objects(token).beginWrite({ bucket: "mine", key });
  const receipts = await client.upload(bytes, chunkId, grant, await client.nodesOf(chunkId));
  return { ticket, chunks: [{ chunkId, sizeBytes: BigInt(bytes.length), receipts }] };
}

function commit(token: string, { ticket, chunks }: Uploaded, key: string, bucket = "mine"): Promise<string> {
  const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.sizeBytes, 0n);
  const content = { case: "chunked" as const, value: { chunks } };
  return codeOf(cluster.client.objects(token).commitWrite({ bucket, key, ticket, sizeBytes, content }));
}

const tokenFor = (prefix: string, bucket = "mine"): Promise<string> => cluster.token({ bucket, prefix });

describe("a ticket that a token holder got", () => {
  it("commits within the prefix, from the nodes' receipts", async () => {
    const token = await tokenFor("a/");
    expect(await commit(token, await upload(token), "a/1")).toBe("none");
    expect(await commit(token, await upload(token, "a/2"), "a/2")).toBe("none");
  });

  it("commits nothing outside, neither with the token nor with anything wider of the same API key", async () => {
    const token = await tokenFor("a/");
    const stored = await upload(token);
    for (const wider of [token, await tokenFor("b/"), await tokenFor(""), cluster.keys.readwrite])
      expect(await commit(wider, stored, "b/1")).toBe("PERMISSION_DENIED");
    for (const wider of [token, await tokenFor("a/", "theirs"), cluster.keys.readwrite])
      expect(await commit(wider, stored, "a/1", "theirs")).toBe("PERMISSION_DENIED");
    expect(await commit(cluster.keys.admin, stored, "a/1")).toBe("PERMISSION_DENIED");
    expect(await cluster.metadata.getObject({ bucket: "mine", key: "b/1", chunkLimit: 0 })).toBe(undefined);
  });

  it("is not given for a key outside", async () => {
    const objects = cluster.client.objects(await tokenFor("a/"));
    expect(await codeOf(objects.beginWrite({ bucket: "mine", key: "b/1" }))).toBe("PERMISSION_DENIED");
    expect(await codeOf(objects.beginWrite({ bucket: "theirs" }))).toBe("PERMISSION_DENIED");
  });

  it("goes on under a fresh token of the same scope, and under no other", async () => {
    const first = await tokenFor("a/");
    const stored = await upload(first);
    const renew = (token: string, renewed = stored.ticket): Promise<{ ticket: string }> =>
      cluster.client.objects(token).beginWrite({ bucket: "mine", renew: renewed });
    for (const other of [await tokenFor("b/"), await tokenFor(""), await tokenFor("a/b/"), cluster.keys.readwrite])
      expect(await codeOf(renew(other))).toBe("PERMISSION_DENIED");
    const second = await tokenFor("a/");
    const { ticket } = await renew(second);
    expect(await commit(second, { ...stored, ticket }, "a/renewed")).toBe("none");
    const wide = await cluster.client.objects(cluster.keys.readwrite).beginWrite({ bucket: "mine" });
    expect(await codeOf(renew(second, wide.ticket))).toBe("PERMISSION_DENIED");
  });

  it("ends with the token", async () => {
    const expiresInMs = 60_000n;
    const token = await cluster.token({ bucket: "mine", expiresInMs });
    const grant = await cluster.keeper.verify(token, ["access"]);
    const answer = await cluster.client.objects(token).beginWrite({ bucket: "mine" });
    expect(Number(answer.expiresInMs)).toBeLessThanOrEqual(60_000);
    expect(Number(answer.expiresInMs)).toBeGreaterThan(50_000);
    expect((await cluster.keeper.verify(answer.ticket, ["ticket"])).expiresAtMs).toBe(grant.expiresAtMs);
    expect((await cluster.keeper.verify(answer.grant, ["write"])).expiresAtMs).toBe(grant.expiresAtMs);
    const long = await cluster.client.objects(cluster.keys.readwrite).beginWrite({ bucket: "mine" });
    expect(Number(long.expiresInMs)).toBe(15 * 60_000);
  });

  it("ends with an API key that has an end", async () => {
    const { record, apiKey } = await cluster.newKey("readwrite", { expiresInMs: 60_000 });
    const answer = await cluster.client.objects(apiKey).beginWrite({ bucket: "mine" });
    expect(Number(answer.expiresInMs)).toBeLessThanOrEqual(60_000);
    expect((await cluster.keeper.verify(answer.ticket, ["ticket"])).expiresAtMs).toBe(record.expiresAtMs);
    expect((await cluster.keeper.verify(answer.grant, ["write"])).expiresAtMs).toBe(record.expiresAtMs);
  });

  it("is not enough without a token that is still good", async () => {
    const { record, apiKey } = await cluster.newKey("readwrite");
    const token = await cluster.token({ bucket: "mine" }, apiKey);
    const stored = await upload(token);
    const claims = { apiKeyId: record.keyId, role: "readwrite", bucket: "mine", prefix: "" } as const;
    const expired = await cluster.keeper.issueAccess({ ...claims, expiresAtMs: Date.now() - 1 });
    expect(await commit(expired, stored, "late")).toBe("UNAUTHENTICATED");
    const reads = await cluster.keeper.issueAccess({ ...claims, role: "readonly", expiresAtMs: Date.now() + 60_000 });
    expect(await commit(reads, stored, "late")).toBe("PERMISSION_DENIED");
    expect(await commit(token, stored, "in-time")).toBe("none");
  });
});

describe("the handle of a manifest", () => {
  it("leads on in the scope in which it was given, and in no other", async () => {
    const owner = await tokenFor("a/");
    expect(await commit(owner, await upload(owner), "a/located")).toBe("none");
    const { manifestId } = await cluster.client.objects(owner).locate({ bucket: "mine", key: "a/located" });
    const further = (token: string, handle = manifestId): Promise<string> =>
      codeOf(cluster.client.objects(token).locate({ bucket: "mine", key: "a/located", manifestId: handle }));
    expect(await further(owner)).toBe("none");
    expect(await further(await tokenFor(""))).toBe("none");
    for (const other of [await tokenFor("b/"), await tokenFor("a/", "theirs")])
      expect(await further(other)).toBe("PERMISSION_DENIED");
    expect(await further(owner, `${manifestId}A`)).toBe("UNAUTHENTICATED");
    const manifest = (await cluster.keeper.verify(manifestId, ["manifest"])).manifestId;
    const old = await cluster.keeper.issueManifest({ manifestId: manifest });
    expect(await further(owner, old)).toBe("PERMISSION_DENIED");
    expect(await further(cluster.keys.readonly, old)).toBe("none");
  });
});

describe("an access token in another place", () => {
  it("opens no chunk API, of a node or of the gateway", async () => {
    const token = await tokenFor("");
    const bytes = new Uint8Array([1, 2, 3]);
    const chunkId = digestFromBytes(createHash("sha256").update(bytes).digest());
    for (const node of ["node-1", "gateway"]) {
      const chunks = cluster.client.chunks(node, token);
      expect(await codeOf(chunks.writeChunk({ chunkId, data: bytes }))).toBe("PERMISSION_DENIED");
      expect(await codeOf(chunks.hasChunks({ chunkIds: [chunkId], claim: true }))).toBe("PERMISSION_DENIED");
      expect(await codeOf(chunks.listChunks({}))).toBe("PERMISSION_DENIED");
      expect(await codeOf(chunks.deleteChunk({ chunkIds: [chunkId] }))).toBe("PERMISSION_DENIED");
      const url = node === "gateway" ? cluster.url : cluster.nodeUrls.get(node);
      const path = `${url}/chunks/${Buffer.from(chunkId).toString("hex")}`;
      const answer = await fetch(path, { headers: { authorization: `Bearer ${token}` } });
      expect(answer.status).toBe(403);
    }
  });

  it("is no ticket, no handle and no receipt, and those are no access tokens", async () => {
    const token = await tokenFor("");
    const stored = await upload(token);
    expect(await commit(token, { ...stored, ticket: token }, "x")).toBe("PERMISSION_DENIED");
    const receipts = [token];
    const lied = { ...stored, chunks: stored.chunks.map((chunk) => ({ ...chunk, receipts })) };
    expect(await commit(token, lied, "x")).toBe("PERMISSION_DENIED");
    const { client } = cluster;
    const located = client.objects(token).locate({ bucket: "-", key: "-", manifestId: token });
    expect(await codeOf(located)).toBe("PERMISSION_DENIED");
    const { ticket, grant } = await client.objects(token).beginWrite({ bucket: "mine" });
    for (const other of [ticket, grant])
      expect(await codeOf(client.objects(other).headBucket({ bucket: "mine" }))).toBe("PERMISSION_DENIED");
  });

  it("is not given by an insecure gateway, which says so", async () => {
    const parts = { metadata: createMemoryMetadataStore(), topology: singleStoreTopology(createMemoryChunkStore()) };
    const open = await startTestGateway({ ...parts, hasher: nodeCryptoHasher }, { insecure: true });
    const answer = await fetch(`${open.url}/access-tokens`, { method: "POST", body: '{"bucket":"mine"}' });
    expect([answer.status, answer.headers.get("ashlar-error-code")]).toEqual([501, "UNSUPPORTED"]);
    await open.close();
  });
});
