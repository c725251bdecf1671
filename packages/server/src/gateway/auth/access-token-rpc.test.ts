/** Every RPC of a gateway against access tokens: right ones, and all ways in which they can be wrong. */
import { createMemoryChunkStore } from "@ashlar/adapters/chunk-store/memory";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { encodeInteger } from "@ashlar/sdk/rpc";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accessRulesOf } from "../operations/index.ts";
import type { OperationName as Operation } from "../operations/operation.ts";
import { codeOf, type DirectClient } from "../testing/direct-client.ts";
import { startTokenCluster, type TokenCluster } from "../testing/token-cluster.ts";

/** A bucket and a key, with an object and an upload there. */
interface Place {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
  /** Another upload, to be aborted. */
  readonly spareUploadId: string;
  readonly manifestId: string;
}

type Call = (client: DirectClient, token: string | undefined, place: Place) => Promise<unknown>;

const PREFIX = "users/1/";
const BYTES = new Uint8Array(40_000).fill(7);
const HEADER = ({ bucket, key }: Place): { bucket: string; key: string } => ({ bucket, key });

/** One call of every operation at a place. If one is missing, the code does not compile. */
const CALLS: Readonly<Record<Operation, Call>> = {
  createBucket: (c, t, { bucket }) => c.objects(t).createBucket({ bucket }),
  headBucket: (c, t, { bucket }) => c.objects(t).headBucket({ bucket }),
  listBuckets: (c, t) => c.objects(t).listBuckets({}),
  deleteBucket: (c, t, { bucket }) => c.objects(t).deleteBucket({ bucket }),
  putObject: (c, t, place) => c.objects(t).putObject(putMessages(place)),
  writeObject: (c, t, place) => c.objects(t).writeObject({ header: HEADER(place), data: BYTES }),
  getObject: async (c, t, { bucket, key }) => {
    for await (const message of c.objects(t).getObject({ bucket, key })) expect(message.payload.case).toBeDefined();
  },
  headObject: (c, t, { bucket, key }) => c.objects(t).headObject({ bucket, key }),
  deleteObject: (c, t, { bucket, key }) => c.objects(t).deleteObject({ bucket, key: `${key}-gone` }),
  deleteObjects: (c, t, { bucket, key }) => c.objects(t).deleteObjects({ bucket, keys: [`${key}-gone`] }),
  listObjects: (c, t, { bucket, key }) => c.objects(t).listObjects({ bucket, prefix: key }),
  copyObject: (c, t, { bucket, key }) =>
    c.objects(t).copyObject({ sourceBucket: bucket, sourceKey: key, bucket, key: `${key}-copy` }),
  moveObject: async (c, t, { bucket, key }) => {
    // Moves nothing: the source has another etag, which only those in scope learn.
    const names = { sourceBucket: bucket, sourceKey: key, sourceIfMatch: "other", bucket, key: `${key}-moved` };
    const code = await codeOf(c.objects(t).moveObject(names));
    if (code !== "PRECONDITION_FAILED") throw await failureOf(c.objects(t).moveObject(names));
  },
  createUpload: (c, t, { bucket, key }) => c.objects(t).createUpload({ bucket, key }),
  getUpload: (c, t, { uploadId }) => c.objects(t).getUpload({ uploadId }),
  writePart: (c, t, { uploadId }) => c.objects(t).writePart({ uploadId, partNumber: 1, data: BYTES }),
  completeUpload: async (c, t, { uploadId }) => {
    // Completes nothing: the part has another etag, which only those in scope learn.
    const parts = [{ partNumber: 1, etag: "other" }];
    const code = await codeOf(c.objects(t).completeUpload({ uploadId, parts }));
    if (code !== "INVALID_PART") throw await failureOf(c.objects(t).completeUpload({ uploadId, parts }));
  },
  abortUpload: (c, t, { spareUploadId }) => c.objects(t).abortUpload({ uploadId: spareUploadId }),
  listParts: (c, t, { uploadId }) => c.objects(t).listParts({ uploadId }),
  listUploads: (c, t, { bucket, key }) => c.objects(t).listUploads({ bucket, prefix: key }),
  beginWrite: (c, t, { bucket, key }) => c.objects(t).beginWrite({ bucket, key }),
  commitWrite: (c, t, { bucket, key }) =>
    c.objects(t).commitWrite({ bucket, key: `${key}-new`, sizeBytes: 1n, content: inline(new Uint8Array([1])) }),
  commitPart: async (c, t, { uploadId }) => {
    const { ticket } = await c.objects(t).beginWrite({ bucket: "mine" });
    await c.objects(t).commitPart({ ticket, uploadId, partNumber: 2, sizeBytes: 0n, content: { chunks: [] } });
  },
  locate: async (c, t, { bucket, key, manifestId }) => {
    // A further page names no object, its handle does; both must agree on what is in scope.
    const further = await codeOf(c.objects(t).locate({ bucket: "-", key: "-", manifestId }));
    const first = await codeOf(c.objects(t).locate({ bucket, key }));
    expect(further).toBe(first);
    await c.objects(t).locate({ bucket, key });
  },
  createAccessToken: (c, t, { bucket }) => c.objects(t).createAccessToken({ bucket }),
  getCluster: (c, t) => c.cluster(t).getCluster({ placementFormat: 2 }),
  registerNode: (c, t) =>
    c.cluster(t).registerNode({ nodeId: "evil", url: "http://127.0.0.1:1", softwareVersion: "1" }),
  heartbeat: (c, t) => c.cluster(t).heartbeat({ nodeId: "node-1", stats: {} }),
  stopNode: (c, t) => c.cluster(t).stopNode({ nodeId: "node-1" }),
  changeLayout: (c, t) => c.cluster(t).changeLayout({ weights: { "node-1": 0 } }),
  createApiKey: (c, t, { bucket }) => c.credentials(t).createApiKey({ bucket }),
  listApiKeys: (c, t) => c.credentials(t).listApiKeys({}),
  deleteApiKey: (c, t) => c.credentials(t).deleteApiKey({ keyId: "0011223344556677" }),
  revokeAccessToken: (c, t) => c.credentials(t).revokeAccessToken({ token: t ?? "" }),
};

const inline = (value: Uint8Array): { case: "inline"; value: Uint8Array } => ({ case: "inline", value });

async function* putMessages(
  place: Place,
): AsyncGenerator<
  | { payload: { case: "header"; value: { bucket: string; key: string } } }
  | { payload: { case: "frame"; value: Uint8Array } }
> {
  yield { payload: { case: "header", value: HEADER(place) } };
  yield { payload: { case: "frame", value: BYTES } };
}

const failureOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => new Error("should have failed"),
    (error: unknown) => error,
  );

const OPERATIONS = Object.keys(CALLS) as Operation[];
let cluster: TokenCluster;
let inside: Place;
let otherBucket: Place;
let otherPrefix: Place;

async function makePlace(bucket: string, key: string): Promise<Place> {
  const objects = cluster.client.objects(cluster.keys.admin);
  await objects.writeObject({ header: { bucket, key }, data: BYTES });
  const { upload } = await objects.createUpload({ bucket, key });
  const { manifestId } = await objects.locate({ bucket, key });
  const spare = await objects.createUpload({ bucket, key });
  const spareUploadId = spare.upload?.uploadId ?? "";
  return { bucket, key, uploadId: upload?.uploadId ?? "", spareUploadId, manifestId };
}

beforeAll(async () => {
  cluster = await startTokenCluster({
    metadata: createMemoryMetadataStore({ replicationFactor: 3 }),
    hasher: nodeCryptoHasher,
    transport: undiciTransport(),
    openStore: () => createMemoryChunkStore(),
  });
  for (const bucket of ["mine", "theirs"]) await cluster.client.objects(cluster.keys.admin).createBucket({ bucket });
  inside = await makePlace("mine", `${PREFIX}a`);
  otherBucket = await makePlace("theirs", `${PREFIX}a`);
  otherPrefix = await makePlace("mine", "users/2/a");
  expect([inside, otherBucket, otherPrefix].every((place) => place.manifestId !== "")).toBe(true);
});
afterAll(() => cluster.close());

/** Everything that a wrong call could have changed. */
async function stateOutside(): Promise<unknown> {
  const { metadata } = cluster;
  const listing = async (bucket: string): Promise<unknown> => [
    (await metadata.listObjects({ bucket })).objects.filter(({ key }) => bucket !== "mine" || !key.startsWith(PREFIX)),
    (await metadata.listUploads({ bucket })).uploads.filter(({ key }) => bucket !== "mine" || !key.startsWith(PREFIX)),
  ];
  const parts = [otherBucket, otherPrefix].map(({ uploadId }) => metadata.listParts({ uploadId }));
  const { layouts, nodes } = await metadata.clusterSnapshot();
  const states = nodes.map(({ nodeId, state }) => [nodeId, state]);
  const all = [await listing("mine"), await listing("theirs"), await Promise.all(parts)];
  return { all, layouts, states, buckets: await metadata.listBuckets() };
}

/** Written again here, independent of the table that is tested. */
const NEVER: readonly Operation[] = [
  "createBucket",
  "listBuckets",
  "deleteBucket",
  "createAccessToken",
  "registerNode",
  "heartbeat",
  "stopNode",
  "changeLayout",
  "createApiKey",
  "listApiKeys",
  "deleteApiKey",
  "revokeAccessToken",
];
const mayTake = (operation: Operation): boolean => !NEVER.includes(operation);

describe.each(OPERATIONS)("%s with an access token", (operation) => {
  const call = (token: string | undefined, place: Place): Promise<string> =>
    codeOf(CALLS[operation](cluster.client, token, place));

  it(mayTake(operation) ? "works in its scope" : "is denied, in its scope too", async () => {
    const token = await cluster.token({ bucket: "mine", prefix: PREFIX });
    expect(await call(token, inside)).toBe(mayTake(operation) ? "none" : "PERMISSION_DENIED");
  });

  it("is denied outside of its bucket and its prefix, and changes nothing there", async () => {
    const before = await stateOutside();
    const token = await cluster.token({ bucket: "mine", prefix: PREFIX });
    const isOpen = operation === "getCluster";
    expect(await call(token, otherBucket)).toBe(isOpen ? "none" : "PERMISSION_DENIED");
    const isOfBucket = operation === "headBucket";
    expect(await call(token, otherPrefix)).toBe(isOpen || isOfBucket ? "none" : "PERMISSION_DENIED");
    const whole = await cluster.token({ bucket: "mine" });
    expect(await call(whole, otherBucket)).toBe(isOpen ? "none" : "PERMISSION_DENIED");
    expect(await stateOutside()).toEqual(before);
  });

  it("of role readonly reads only", async () => {
    const token = await cluster.token({ bucket: "mine", prefix: PREFIX }, cluster.keys.readonly);
    const reads = mayTake(operation) && ["read", "read-or-cluster"].includes(accessRulesOf(operation).access);
    expect(await call(token, inside)).toBe(reads ? "none" : "PERMISSION_DENIED");
  });

  it("that has expired, was tampered with, or has lost the key that issued it is UNAUTHENTICATED", async () => {
    const { record } = await cluster.newKey("admin");
    const claims = { apiKeyId: record.keyId, role: "readwrite", bucket: "mine", prefix: PREFIX } as const;
    const expired = await cluster.keeper.issueAccess({ ...claims, expiresAtMs: Date.now() - 1 });
    expect(await failureOf(CALLS[operation](cluster.client, expired, inside))).toMatchObject({
      message: expect.stringContaining("the access token has expired"),
    });
    expect(await call(expired, inside)).toBe("UNAUTHENTICATED");
    const good = await cluster.keeper.issueAccess({ ...claims, expiresAtMs: Date.now() + 60_000 });
    const [payload = "", mac = ""] = good.split(".");
    const widened = JSON.stringify({ ...(JSON.parse(atob(payload)) as object), prefix: "" });
    for (const tampered of [
      `${payload}.${mac.startsWith("A") ? "B" : "A"}${mac.slice(1)}`,
      `${btoa(widened).replaceAll("=", "").replaceAll("+", "-").replaceAll("/", "_")}.${mac}`,
      `${payload}.`,
      payload,
    ]) {
      expect(await call(tampered, inside)).toBe("UNAUTHENTICATED");
    }
    await cluster.metadata.deleteApiKey(record.keyId);
    expect(await call(good, inside)).toBe("UNAUTHENTICATED");
  });
});

describe("what a request touches besides its own key", () => {
  const objects = async (): Promise<ReturnType<DirectClient["objects"]>> =>
    cluster.client.objects(await cluster.token({ bucket: "mine", prefix: PREFIX }));

  it("both ends of a copy", async () => {
    const copy = async (from: Place, to: Place): Promise<string> =>
      codeOf(
        (await objects()).copyObject({
          sourceBucket: from.bucket,
          sourceKey: from.key,
          bucket: to.bucket,
          key: `${to.key}-copied`,
        }),
      );
    expect(await copy(inside, inside)).toBe("none");
    for (const outside of [otherBucket, otherPrefix]) {
      expect(await copy(outside, inside)).toBe("PERMISSION_DENIED");
      expect(await copy(inside, outside)).toBe("PERMISSION_DENIED");
    }
    expect(await cluster.metadata.getObject({ bucket: "mine", key: "users/2/a-copied", chunkLimit: 0 })).toBe(
      undefined,
    );
  });

  it("every key of deleteObjects: one outside, and none is deleted", async () => {
    const keys = [inside.key, otherPrefix.key];
    expect(await codeOf((await objects()).deleteObjects({ bucket: "mine", keys }))).toBe("PERMISSION_DENIED");
    for (const { bucket, key } of [inside, otherPrefix])
      expect(await cluster.metadata.getObject({ bucket, key, chunkLimit: 0 })).toBeDefined();
  });

  it("the prefix of a listing, and no cursor leads out of it", async () => {
    const list = async (more: { prefix?: string; cursor?: string; startAfter?: string }): Promise<string[]> =>
      (await (await objects()).listObjects({ bucket: "mine", ...more })).objects.map(({ key }) => key);
    for (const prefix of ["", "users/", "users/1", "users/2/"]) {
      await expect(list({ prefix })).rejects.toMatchObject({ message: expect.stringContaining(PREFIX) });
      expect(await codeOf((await objects()).listUploads({ bucket: "mine", prefix }))).toBe("PERMISSION_DENIED");
    }
    const own = await list({ prefix: PREFIX });
    expect(own).toContain(inside.key);
    const all = cluster.client.objects(cluster.keys.admin);
    const { nextCursor } = await all.listObjects({ bucket: "mine", limit: 1 });
    expect(nextCursor).not.toBe("");
    for (const more of [{ cursor: nextCursor }, { startAfter: "a" }, { startAfter: "users/2/" }])
      expect(own).toEqual(expect.arrayContaining(await list({ prefix: PREFIX, ...more })));
  });

  it("the name in a stream of PutObject, in whichever message it comes", async () => {
    const client = await objects();
    async function* twice(): ReturnType<typeof putMessages> {
      yield* putMessages(inside);
      yield* putMessages(otherPrefix);
    }
    expect(await codeOf(client.putObject(twice()))).not.toBe("none");
    expect((await cluster.metadata.getObject({ ...otherPrefix, chunkLimit: 0 }))?.info.sizeBytes).toBe(BYTES.length);
  });

  it("a key is text: dots and slashes do not lead out of the prefix", async () => {
    const client = await objects();
    const key = `${PREFIX}../2/a`;
    await client.writeObject({ header: { bucket: "mine", key }, data: new Uint8Array([1]) });
    const found = await client.headObject({ bucket: "mine", key });
    expect(found.info?.sizeBytes).toBe(encodeInteger(1));
    expect((await cluster.metadata.getObject({ ...otherPrefix, chunkLimit: 0 }))?.info.sizeBytes).toBe(BYTES.length);
    expect(await codeOf(client.headObject({ bucket: "mine", key: "users/1" }))).toBe("PERMISSION_DENIED");
    expect(await codeOf(client.headObject({ bucket: "mine", key: `x/${inside.key}` }))).toBe("PERMISSION_DENIED");
  });
});
