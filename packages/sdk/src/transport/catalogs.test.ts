import { create, type DescMessage, type Message, toJson } from "@bufbuild/protobuf";
import { type ConnectRouter, createConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { createFetchHandler } from "@connectrpc/connect/protocol";
import { describe, expect, test } from "vitest";
import { AshlarError } from "../errors/index.ts";
import { sha256Sync } from "../hash/index.ts";
import type { CommitObject, GatewayConnection, ObjectInfo, UploadInfo } from "../ports/index.ts";
import * as rpc from "../rpc/index.ts";
import { httpTransport } from "./http.ts";
import { inProcessTransport } from "./in-process.ts";

/**
 * Runs the protobuf catalog and the hand-written JSON catalog against the same handlers: both must send equal messages and read equal answers. The
 * handlers' JSON parser is strict, so a member that the contract does not know fails.
 */

const digest = sha256Sync(new Uint8Array([1]));
const attributes = { contentType: "image/jpeg", cacheControl: "no-cache", metadata: { place: "Zürich" } };
const info: ObjectInfo = {
  bucket: "photos",
  key: "a/ü",
  objectVersion: "v1",
  sizeBytes: Number.MAX_SAFE_INTEGER,
  etag: "e",
  sha256: "ab".repeat(32),
  createdAtMs: 1_795_000_000_000,
  durability: "batched",
  attributes,
};
const bareInfo: ObjectInfo = {
  bucket: "b",
  key: "k",
  objectVersion: "v",
  sizeBytes: 0,
  etag: "e",
  createdAtMs: 0,
  durability: "strict",
  attributes: {},
};
const upload: UploadInfo = { bucket: "b", key: "k", uploadId: "u", createdAtMs: 5, attributes, durability: "os" };
const part = { partNumber: 3, sizeBytes: 7, etag: "pe", sha256: "cd".repeat(32), createdAtMs: 9 };
const layout = {
  layoutVersion: 4,
  replicationFactor: 3,
  virtualNodesPerNode: 150,
  placementFormat: 2,
  nodes: [
    { nodeId: "n1", zone: "z", weight: 0.5 },
    { nodeId: "n2", weight: 1 },
  ],
};
const stats = { chunkCount: 1, bytesUsed: 2, bytesFree: 3, bytesTotal: 4 };
const lostDisk = { kind: "replaced" as const, atMs: 5, chunkCount: 6, bytesUsed: 7, isQueued: true };
const node = {
  nodeId: "n1",
  url: "http://n1:1",
  weight: 1,
  softwareVersion: "1",
  registeredAtMs: 1,
  lastHeartbeatAtMs: 2,
};
const snapshot = {
  nodes: [
    { ...node, state: "up" as const, stats },
    { ...node, zone: "z", state: "stopped" as const },
    { ...node, weight: 0, state: "down" as const },
    { ...node, state: "up" as const, lostDisk },
    { ...node, state: "up" as const, lostDisk: { ...lostDisk, kind: "other" as const, isQueued: false } },
  ],
  layouts: [layout],
};
const located = {
  info,
  manifestId: "m",
  page: { chunks: [{ chunkId: digest, sizeBytes: 5, offset: 10, grant: "g" }], nextOffset: 15 },
};
const commit: CommitObject = {
  bucket: "b",
  key: "k",
  sizeBytes: 3,
  etag: "local",
  sha256: "ef".repeat(32),
  durability: "strict",
  attributes,
  content: { inline: new Uint8Array([0, 128, 255]) },
  condition: { ifNoneMatch: "*" },
  ticket: "t",
};
const chunked: CommitObject = {
  bucket: "b",
  key: "k",
  sizeBytes: 5,
  etag: "local",
  durability: "os",
  attributes: {},
  content: {
    chunks: [
      { chunkId: digest, sizeBytes: 5, layoutVersion: 4, receipts: ["r1", "r2"], missedNodeIds: ["n2"] },
      { chunkId: digest, sizeBytes: 5 },
    ],
  },
};

const copied = { sourceBucket: "b", sourceKey: "s" };

type Log = Array<{ readonly method: string; readonly message: unknown; readonly authorization: string | null }>;

/** Handlers that record the messages they get and answer `answers[method]`. */
function routesNoting(
  log: Log,
  answers: Readonly<Record<string, object | AshlarError>>,
): (router: ConnectRouter) => void {
  const handler =
    (method: { readonly name: string; readonly input: DescMessage; readonly output: DescMessage }) =>
    (message: Message, context: HandlerContext): Message => {
      log.push({
        method: method.name,
        message: toJson(method.input, message),
        authorization: context.requestHeader.get("authorization"),
      });
      const answer = answers[method.name] ?? {};
      if (answer instanceof AshlarError) throw rpc.connectErrorFrom(answer);
      return create(method.output, answer as never);
    };
  return (router) => {
    for (const service of [rpc.ObjectService, rpc.ClusterService]) {
      for (const method of service.methods) {
        if (method.methodKind === "unary") router.rpc(method as never, handler(method) as never);
      }
    }
  };
}

function fetchOver(routes: (router: ConnectRouter) => void): typeof globalThis.fetch {
  const router = createConnectRouter({ jsonOptions: { ignoreUnknownFields: false } });
  routes(router);
  const handlers = new Map(router.handlers.map((each) => [each.requestPath, createFetchHandler(each)]));
  return async (input, init) => {
    const request = new Request(input, init);
    const handle = handlers.get(new URL(request.url).pathname);
    const answer = handle === undefined ? new Response("nothing here", { status: 404 }) : await handle(request);
    answer.headers.set("ashlar-request-id", "r1");
    return answer;
  };
}

/** Runs one call with both catalogs and checks that they agree. @returns what both sent and what both got. */
async function overBoth(
  answers: Readonly<Record<string, object | AshlarError>>,
  call: (gateway: GatewayConnection) => Promise<unknown>,
): Promise<{ readonly sent: Log; readonly got: unknown }> {
  const endpoint = { url: "http://gateway", authorization: () => "Bearer key" };
  const outcomes = [];
  for (const kind of ["rpc", "http"]) {
    const sent: Log = [];
    const routes = routesNoting(sent, answers);
    const transport = kind === "rpc" ? inProcessTransport({ routes }) : httpTransport({ fetch: fetchOver(routes) });
    const got = await call(transport.openGateway(endpoint)).catch(plainError);
    outcomes.push({ sent, got });
  }
  const [first, second] = outcomes as [{ sent: Log; got: unknown }, { sent: Log; got: unknown }];
  expect(second.sent).toEqual(first.sent);
  expect(second.got).toEqual(first.got);
  expect(first.sent.map((each) => each.authorization)).toEqual(["Bearer key"]);
  return first;
}

/** The part of an error that must be equal; the causes differ by library. */
function plainError(error: unknown): unknown {
  if (!AshlarError.is(error)) throw error;
  return { code: error.code, message: error.message, details: error.details };
}

type Case = readonly [
  name: string,
  answers: Readonly<Record<string, object>>,
  call: (gateway: GatewayConnection) => Promise<unknown>,
  got: unknown,
];

const bucket = { bucket: "photos", createdAtMs: 5 };
const cases: readonly Case[] = [
  [
    "createBucket",
    { CreateBucket: { bucket: rpc.encodeBucket(bucket) } },
    (g) => g.catalog.createBucket("photos"),
    bucket,
  ],
  ["getBucket", { HeadBucket: { bucket: rpc.encodeBucket(bucket) } }, (g) => g.catalog.getBucket("photos"), bucket],
  ["listBuckets", { ListBuckets: { buckets: [rpc.encodeBucket(bucket)] } }, (g) => g.catalog.listBuckets(), [bucket]],
  ["deleteBucket", {}, (g) => g.catalog.deleteBucket("photos"), undefined],
  [
    "commit of inline bytes",
    { CommitWrite: { info: rpc.encodeObjectInfo(info) } },
    (g) => g.catalog.commitObject(commit),
    info,
  ],
  [
    "commit of chunks",
    { CommitWrite: { info: rpc.encodeObjectInfo(bareInfo) } },
    (g) => g.catalog.commitObject(chunked),
    bareInfo,
  ],
  [
    "getObject",
    { Locate: rpc.encodeLocateResponse(located, 1000) },
    (g) => g.catalog.getObject({ bucket: "b", key: "k", objectVersion: "v", fromOffset: 12, chunkLimit: 7 }),
    located,
  ],
  [
    "getObject, head only",
    { Locate: rpc.encodeLocateResponse({ info, manifestId: "m" }, 0) },
    (g) => g.catalog.getObject({ bucket: "b", key: "k", chunkLimit: 0 }),
    { info, manifestId: "m", page: { chunks: [] } },
  ],
  [
    "getObject, inline",
    { Locate: rpc.encodeLocateResponse({ info, inline: new Uint8Array([0, 255]) }, 0) },
    (g) => g.catalog.getObject({ bucket: "b", key: "k" }),
    { info, inline: new Uint8Array([0, 255]) },
  ],
  [
    "getObject, empty",
    { Locate: rpc.encodeLocateResponse({ info: bareInfo, inline: new Uint8Array(0) }, 0) },
    (g) => g.catalog.getObject({ bucket: "b", key: "k" }),
    { info: bareInfo, inline: new Uint8Array(0) },
  ],
  [
    "getManifestPage",
    { Locate: rpc.encodeLocateResponse({ manifestId: "m", page: located.page }, 0) },
    (g) => g.catalog.getManifestPage({ manifestId: "m", fromOffset: 10, limit: 3 }),
    located.page,
  ],
  [
    "deleteObject",
    { DeleteObject: { deleted: true } },
    (g) => g.catalog.deleteObject({ bucket: "b", key: "k", condition: { ifMatch: "e" } }),
    true,
  ],
  ["deleteObject of nothing", {}, (g) => g.catalog.deleteObject({ bucket: "b", key: "k" }), false],
  [
    "listObjects",
    {
      ListObjects: rpc.encodeObjectListPage({
        objects: [{ key: "k", objectVersion: "v", sizeBytes: 1, etag: "e", createdAtMs: 2 }],
        prefixes: ["p/"],
        nextCursor: "c",
      }),
    },
    (g) => g.catalog.listObjects({ bucket: "b", prefix: "p", delimiter: "/", cursor: "c0", startAfter: "s", limit: 9 }),
    {
      objects: [{ key: "k", objectVersion: "v", sizeBytes: 1, etag: "e", createdAtMs: 2 }],
      prefixes: ["p/"],
      nextCursor: "c",
    },
  ],
  ["listObjects, the last page", {}, (g) => g.catalog.listObjects({ bucket: "b" }), { objects: [], prefixes: [] }],
  [
    "moveObject",
    { MoveObject: { info: rpc.encodeObjectInfo(info) } },
    (g) => g.catalog.moveObject({ sourceBucket: "a", sourceKey: "x", sourceIfMatch: "e", bucket: "b", key: "k" }),
    info,
  ],
  [
    "copyObject",
    { CopyObject: { info: rpc.encodeObjectInfo(info) } },
    (g) =>
      g.catalog.copyObject({
        sourceBucket: "a",
        sourceKey: "x",
        sourceIfMatch: "e",
        bucket: "b",
        key: "k",
        attributes,
        condition: { ifMatch: "*" },
      }),
    info,
  ],
  [
    "createUpload",
    { CreateUpload: { upload: rpc.encodeUploadInfo(upload) } },
    (g) => g.catalog.createUpload({ bucket: "b", key: "k", attributes, durability: "os" }),
    upload,
  ],
  ["getUpload", { GetUpload: { upload: rpc.encodeUploadInfo(upload) } }, (g) => g.catalog.getUpload("u"), upload],
  [
    "putPart",
    { CommitPart: { part: rpc.encodePartInfo(part) } },
    (g) =>
      g.catalog.putPart({
        uploadId: "u",
        partNumber: 3,
        sizeBytes: 5,
        etag: "local",
        sha256: "ab".repeat(32),
        content: { chunks: [{ chunkId: digest, sizeBytes: 5, layoutVersion: 1, receipts: ["r"] }] },
        ticket: "t",
      }),
    part,
  ],
  [
    "listParts",
    { ListParts: rpc.encodePartPage({ parts: [part], nextPartNumber: 3 }) },
    (g) => g.catalog.listParts({ uploadId: "u", afterPartNumber: 2, limit: 1 }),
    { parts: [part], nextPartNumber: 3 },
  ],
  [
    "listUploads",
    { ListUploads: rpc.encodeUploadPage({ uploads: [upload], nextCursor: "c" }) },
    (g) => g.catalog.listUploads({ bucket: "b", prefix: "p", cursor: "c", limit: 2 }),
    { uploads: [upload], nextCursor: "c" },
  ],
  [
    "completeUpload",
    { CompleteUpload: { info: rpc.encodeObjectInfo(info) } },
    (g) =>
      g.catalog.completeUpload({
        uploadId: "u",
        parts: [{ partNumber: 1, etag: "a" }],
        sha256: "ab".repeat(32),
        condition: { ifNoneMatch: "*" },
      }),
    info,
  ],
  ["abortUpload", {}, (g) => g.catalog.abortUpload("u"), undefined],
  [
    "beginWrite",
    { BeginWrite: { ticket: "t", grant: "g", expiresInMs: 900_000n } },
    (g) => g.grants.beginWrite({ bucket: "b", key: "k", renew: "r" }),
    { ticket: "t", grant: "g", expiresInMs: 900_000 },
  ],
  [
    "createAccessToken",
    { CreateAccessToken: { token: "t", expiresAtMs: 1_800_000_000_000n } },
    (g) => g.accessTokens.createAccessToken({ bucket: "b", prefix: "p/", role: "readonly", expiresInMs: 60_000 }),
    { token: "t", expiresAtMs: 1_800_000_000_000 },
  ],
  [
    "createAccessToken with the gateway's defaults",
    { CreateAccessToken: { token: "t", expiresAtMs: 5n } },
    (g) =>
      g.accessTokens.createAccessToken({ bucket: "b", prefix: undefined, role: undefined, expiresInMs: undefined }),
    { token: "t", expiresAtMs: 5 },
  ],
  [
    "registerNode",
    { RegisterNode: { layoutVersion: 4n } },
    (g) => g.cluster.registerNode({ nodeId: "n1", url: "http://n1:1", zone: "z", weight: 0, softwareVersion: "1" }),
    { layoutVersion: 4 },
  ],
  [
    "heartbeat",
    { Heartbeat: { layoutVersion: 4n } },
    (g) => g.cluster.heartbeat({ nodeId: "n1", stats }),
    { layoutVersion: 4 },
  ],
  [
    "registerNode of a node that lost its disk",
    { RegisterNode: rpc.encodeRegisteredNode({ layoutVersion: 4, lostDisk }) },
    (g) =>
      g.cluster.registerNode({
        ...{ nodeId: "n1", url: "http://n1:1", softwareVersion: "1" },
        ...{ folderId: "f1", chunkCount: 0, refuseLostDisk: true },
      }),
    { layoutVersion: 4, lostDisk },
  ],
  [
    "heartbeat of a node with damaged copies",
    { Heartbeat: { layoutVersion: 4n } },
    (g) => g.cluster.heartbeat({ nodeId: "n1", stats, damagedChunkIds: [digest, digest] }),
    { layoutVersion: 4 },
  ],
  [
    "heartbeat of a node that lost its disk",
    { Heartbeat: { layoutVersion: 4n, hasLostDisk: true } },
    (g) => g.cluster.heartbeat({ nodeId: "n1", stats }),
    { layoutVersion: 4, hasLostDisk: true },
  ],
  ["stopNode", {}, (g) => g.cluster.stopNode("n1"), undefined],
  [
    "changeLayout",
    { ChangeLayout: { layout: rpc.encodeLayout(layout) } },
    (g) =>
      g.cluster.changeLayout({ replicationFactor: 3, weights: { n1: 0.5 }, removeNodeIds: ["n9"], placementFormat: 2 }),
    layout,
  ],
  [
    "changeLayout to forget nodes",
    { ChangeLayout: { layout: rpc.encodeLayout(layout) } },
    (g) => g.cluster.changeLayout({ forgetNodeIds: ["n9"], acceptLoss: true }),
    layout,
  ],
];

describe("both catalogs send the same and read the same", () => {
  test.each(cases)("%s", async (_name, answers, call, got) => {
    expect((await overBoth(answers, call)).got).toEqual(got);
  });

  test("clusterSnapshot", async () => {
    const answer = rpc.encodeClusterSnapshot(snapshot, { inlineMaxBytes: 1, chunkMaxBytes: 2 });
    const { got } = await overBoth({ GetCluster: answer }, (g) =>
      g.cluster.clusterSnapshot().then(({ nodes, layouts }) => ({ nodes, layouts })),
    );
    expect(got).toEqual(snapshot);
  });

  test.each([
    ["with its end", { expectedEndAtMs: 1_700_000_060_000 }],
    ["without an end", {}],
  ])("clusterSnapshot of a gateway that does background work, %s", async (_name, end) => {
    const work = {
      ...{ layoutsInUse: 2, chunksBehind: 7, copiesWaiting: 5, copyBytesWaiting: 2 ** 40, copiesFailing: 1 },
      ...{ countedAtMs: 1_700_000_000_000, ...end },
    };
    const answer = rpc.encodeClusterSnapshot({ ...snapshot, work }, { inlineMaxBytes: 1, chunkMaxBytes: 2 });
    const { got } = await overBoth({ GetCluster: answer }, (g) =>
      g.cluster.clusterSnapshot().then((told) => told.work),
    );
    expect(got).toEqual(work);
  });

  test.each([
    [
      "a missing object is absent",
      "Locate",
      "OBJECT_NOT_FOUND",
      (g: GatewayConnection) => g.catalog.getObject({ bucket: "b", key: "k" }),
    ],
    [
      "a missing bucket is absent",
      "HeadBucket",
      "BUCKET_NOT_FOUND",
      (g: GatewayConnection) => g.catalog.getBucket("b"),
    ],
  ] as const)("%s", async (_name, method, code, call) => {
    expect((await overBoth({ [method]: new AshlarError(code, "none") }, call)).got).toBeUndefined();
  });

  test("an object of a missing bucket is an error, with its details", async () => {
    const error = new AshlarError("BUCKET_NOT_FOUND", "none", { details: { bucket: "b" } });
    const { got } = await overBoth({ Locate: error }, (g) => g.catalog.getObject({ bucket: "b", key: "k" }));
    expect(got).toMatchObject({ code: "BUCKET_NOT_FOUND", message: "none", details: { bucket: "b" } });
  });

  test("an answer without its one member is INTERNAL", async () => {
    const { got } = await overBoth({}, (g) => g.catalog.getUpload("u"));
    expect(got).toMatchObject({ code: "INTERNAL" });
  });

  test.each<[string, Readonly<Record<string, object>>, (gateway: GatewayConnection) => Promise<unknown>]>([
    ["a bucket", { ListBuckets: { buckets: [{}] } }, (g) => g.catalog.listBuckets()],
    ["an object", { CopyObject: { info: {} } }, (g) => g.catalog.copyObject({ ...copied, bucket: "b", key: "k" })],
    ["an entry of a listing", { ListObjects: { objects: [{}] } }, (g) => g.catalog.listObjects({ bucket: "b" })],
    ["an upload", { GetUpload: { upload: { bucket: "b", key: "k" } } }, (g) => g.catalog.getUpload("u")],
    ["a part", { ListParts: { parts: [{ partNumber: 1 }] } }, (g) => g.catalog.listParts({ uploadId: "u" })],
    ["a ticket", {}, (g) => g.grants.beginWrite({ bucket: "b" })],
    ["an access token", {}, (g) => g.accessTokens.createAccessToken({ bucket: "b" })],
  ])("the name of %s is never empty", async (_name, answers, call) => {
    const { got } = await overBoth(answers, call);
    expect(got).toMatchObject({ code: "INTERNAL" });
  });

  test("a size beyond 2^53 is refused", async () => {
    const answer = { info: { ...rpc.encodeObjectInfo(info), sizeBytes: 2n ** 60n } };
    const { got } = await overBoth({ CommitWrite: answer }, (g) => g.catalog.commitObject(commit));
    expect(got).toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

test("commits do not carry values that only the gateway may set", async () => {
  const { sent } = await overBoth({ CommitWrite: { info: rpc.encodeObjectInfo(info) } }, (g) =>
    g.catalog.commitObject(chunked),
  );
  expect(JSON.stringify(sent)).not.toMatch(/local|missed|layoutVersion/);
});
