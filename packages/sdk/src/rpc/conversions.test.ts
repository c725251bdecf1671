import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AshlarError } from "../errors/index.ts";
import {
  ChangeLayoutRequestSchema,
  LayoutSchema,
  RegisterNodeRequestSchema,
} from "../gen/ashlar/v1/cluster_service_pb.js";
import { ConditionSchema } from "../gen/ashlar/v1/object_pb.js";
import {
  CompleteUploadRequestSchema,
  CopyObjectRequestSchema,
  CreateUploadRequestSchema,
  GetObjectRequestSchema,
  HeadObjectRequestSchema,
  ListObjectsRequestSchema,
  ListPartsRequestSchema,
  ListUploadsRequestSchema,
  LocateRequestSchema,
  PutObjectHeaderSchema,
} from "../gen/ashlar/v1/object_service_pb.js";
import { sha256Sync } from "../hash/index.ts";
import * as rpc from "./index.ts";

/** Encodes and decodes a message, as the other end would. */
function overTheWire<Schema extends DescMessage>(schema: Schema, init: MessageInitShape<Schema>): MessageShape<Schema> {
  return fromBinary(schema, toBinary(schema, create(schema, init)));
}

const digest = sha256Sync(new Uint8Array([1, 2, 3]));
const attributes = {
  contentType: "image/jpeg",
  expires: "Thu, 01 Dec 2044 16:00:00 GMT",
  metadata: { place: "Zürich" },
};
const info = {
  bucket: "photos",
  key: "2026/cat.jpg",
  objectVersion: "v1",
  sizeBytes: Number.MAX_SAFE_INTEGER,
  etag: "e1",
  sha256: "ab".repeat(32),
  createdAtMs: 1_795_000_000_000,
  durability: "batched",
  attributes,
} as const;
const bare = {
  bucket: "b",
  key: "k",
  objectVersion: "v",
  sizeBytes: 0,
  etag: "",
  createdAtMs: 0,
  durability: "os",
  attributes: {},
} as const;
const condition = { ifMatch: "e1", ifNoneMatch: undefined };

describe("object conversions keep every member", () => {
  test.each([info, bare])("object info of $key", (object) => {
    expect(rpc.decodeObjectInfo(overTheWire(rpc.ObjectInfoSchema, rpc.encodeObjectInfo(object)))).toEqual(object);
  });

  test("put outcome", () => {
    const figures = { replicas: 3, chunkCount: 25, deduplicatedBytes: 4096 };
    const message = overTheWire(rpc.PutObjectOutcomeSchema, rpc.encodePutOutcome({ ...info, ...figures }));
    expect(message).toMatchObject({ replicas: 3, chunkCount: 25n, deduplicatedBytes: 4096n });
    expect(rpc.decodeObjectInfo(message.info)).toEqual(info);
  });

  test.each([
    [
      rpc.CommitWriteRequestSchema,
      rpc.encodeCommitWrite,
      rpc.decodeCommitWrite,
      {
        bucket: "b",
        key: "k",
        sizeBytes: 3,
        sha256: "cd".repeat(32),
        durability: "strict",
        attributes,
        condition,
        ticket: "t",
        content: { inline: new Uint8Array([7, 8, 9]) },
      },
    ],
    [
      rpc.CommitWriteRequestSchema,
      rpc.encodeCommitWrite,
      rpc.decodeCommitWrite,
      {
        bucket: "b",
        key: "k",
        sizeBytes: 5,
        durability: undefined,
        attributes: {},
        content: { chunks: [{ chunkId: digest, sizeBytes: 5, receipts: ["r1", "r2"] }] },
      },
    ],
    [
      rpc.CommitPartRequestSchema,
      rpc.encodeCommitPart,
      rpc.decodeCommitPart,
      {
        uploadId: "u",
        partNumber: 7,
        sizeBytes: 5,
        ticket: "t",
        content: { chunks: [{ chunkId: digest, sizeBytes: 5, receipts: [] }] },
      },
    ],
    [
      LocateRequestSchema,
      rpc.encodeLocateRequest,
      rpc.decodeLocateRequest,
      { bucket: "b", key: "k", fromOffset: 9, chunkLimit: 0 },
    ],
    [
      ListObjectsRequestSchema,
      rpc.encodeListObjectsQuery,
      rpc.decodeListObjectsQuery,
      { bucket: "b", prefix: "p", delimiter: "/", cursor: "c", startAfter: "s", limit: 10 },
    ],
    [ListObjectsRequestSchema, rpc.encodeListObjectsQuery, rpc.decodeListObjectsQuery, { bucket: "b" }],
    [
      CopyObjectRequestSchema,
      rpc.encodeCopyObject,
      rpc.decodeCopyObject,
      { sourceBucket: "a", sourceKey: "x", sourceIfMatch: "e", bucket: "b", key: "k", attributes: {}, condition },
    ],
    [
      CopyObjectRequestSchema,
      rpc.encodeCopyObject,
      rpc.decodeCopyObject,
      { sourceBucket: "a", sourceKey: "x", bucket: "b", key: "k" },
    ],
    [
      CreateUploadRequestSchema,
      rpc.encodeCreateUpload,
      rpc.decodeCreateUpload,
      { bucket: "b", key: "k", attributes, durability: "os" },
    ],
    [
      CompleteUploadRequestSchema,
      rpc.encodeCompleteUpload,
      rpc.decodeCompleteUpload,
      {
        uploadId: "u",
        parts: [
          { partNumber: 1, etag: "a" },
          { partNumber: 9, etag: "b" },
        ],
        sha256: "ef".repeat(32),
        condition,
      },
    ],
    [
      ListPartsRequestSchema,
      rpc.encodeListPartsQuery,
      rpc.decodeListPartsQuery,
      { uploadId: "u", afterPartNumber: 4, limit: 2 },
    ],
    [
      ListUploadsRequestSchema,
      rpc.encodeListUploadsQuery,
      rpc.decodeListUploadsQuery,
      { bucket: "b", prefix: "p", cursor: "c", limit: 3 },
    ],
    // Our SDK has no encoder for these messages; only other clients send them.
    [
      PutObjectHeaderSchema,
      () => ({
        ...{ bucket: "b", key: "k", attributes: rpc.encodeAttributes(attributes), condition: { ifMatch: "e1" } },
        ...{ durability: rpc.DurabilityEnum.STRICT, sizeBytes: 0n, sha256: "ab".repeat(32) },
      }),
      rpc.decodePutObjectHeader,
      { bucket: "b", key: "k", attributes, condition, durability: "strict", sizeBytes: 0, sha256: "ab".repeat(32) },
    ],
    [
      PutObjectHeaderSchema,
      () => ({ bucket: "b", key: "k" }),
      rpc.decodePutObjectHeader,
      { bucket: "b", key: "k", attributes: {} },
    ],
    [
      GetObjectRequestSchema,
      () => ({ bucket: "b", key: "k", objectVersion: "v", offset: -5n, length: 2n, condition: { ifMatch: "e1" } }),
      rpc.decodeGetObject,
      { bucket: "b", key: "k", objectVersion: "v", range: { offset: -5, length: 2 }, condition },
    ],
    [GetObjectRequestSchema, () => ({ bucket: "b", key: "k" }), rpc.decodeGetObject, { bucket: "b", key: "k" }],
    [
      HeadObjectRequestSchema,
      () => ({ bucket: "b", key: "k", objectVersion: "v", condition: { ifMatch: "e1" } }),
      rpc.decodeHeadObject,
      { bucket: "b", key: "k", objectVersion: "v", condition },
    ],
    [
      RegisterNodeRequestSchema,
      rpc.encodeNodeRegistration,
      rpc.decodeNodeRegistration,
      { nodeId: "n1", url: "http://n1:1", zone: "z", weight: 0, softwareVersion: "1" },
    ],
    [
      RegisterNodeRequestSchema,
      rpc.encodeNodeRegistration,
      rpc.decodeNodeRegistration,
      { nodeId: "n1", url: "http://n1:1", softwareVersion: "1" },
    ],
    [
      RegisterNodeRequestSchema,
      rpc.encodeNodeRegistration,
      rpc.decodeNodeRegistration,
      {
        ...{ nodeId: "n1", url: "http://n1:1", softwareVersion: "1" },
        ...{ folderId: "f1", chunkCount: 0, refuseLostDisk: true },
      },
    ],
    [
      ChangeLayoutRequestSchema,
      rpc.encodeLayoutChange,
      rpc.decodeLayoutChange,
      { replicationFactor: 2, weights: { n1: 0, n2: 1.5 }, removeNodeIds: ["n3"] },
    ],
    [ChangeLayoutRequestSchema, rpc.encodeLayoutChange, rpc.decodeLayoutChange, {}],
    [
      LayoutSchema,
      rpc.encodeLayout,
      rpc.decodeLayout,
      {
        layoutVersion: 4,
        replicationFactor: 3,
        virtualNodesPerNode: 150,
        nodes: [
          { nodeId: "n1", weight: 1 },
          { nodeId: "n2", zone: "z", weight: 0.5 },
        ],
      },
    ],
    [
      LayoutSchema,
      rpc.encodeLayout,
      rpc.decodeLayout,
      {
        ...{ layoutVersion: 5, replicationFactor: 3, virtualNodesPerNode: 150, placementFormat: 2 },
        nodes: [{ nodeId: "n1", weight: 1 }],
      },
    ],
  ])("$typeName", (schema, encode, decode, value) => {
    const message = overTheWire(schema, (encode as (value: unknown) => never)(value));
    expect((decode as (message: unknown) => unknown)(message)).toEqual(value);
  });
});

describe("pages", () => {
  test("an object list", () => {
    const page = {
      objects: [{ key: "a", objectVersion: "v", sizeBytes: 1, etag: "e", createdAtMs: 5 }],
      prefixes: ["p/"],
      nextCursor: "c",
    };
    expect(
      rpc.decodeObjectListPage(overTheWire(rpc.ListObjectsResponseSchema, rpc.encodeObjectListPage(page))),
    ).toEqual(page);
    const last = { objects: [], prefixes: [] };
    expect(
      rpc.decodeObjectListPage(overTheWire(rpc.ListObjectsResponseSchema, rpc.encodeObjectListPage(last))),
    ).toEqual(last);
  });

  test("parts and uploads", () => {
    const parts = { parts: [{ partNumber: 1, sizeBytes: 2, etag: "e", createdAtMs: 3 }], nextPartNumber: 1 };
    expect(rpc.decodePartPage(overTheWire(rpc.ListPartsResponseSchema, rpc.encodePartPage(parts)))).toEqual(parts);
    const uploads = {
      uploads: [{ bucket: "b", key: "k", uploadId: "u", createdAtMs: 4, attributes, durability: "strict" as const }],
      nextCursor: "c",
    };
    expect(rpc.decodeUploadPage(overTheWire(rpc.ListUploadsResponseSchema, rpc.encodeUploadPage(uploads)))).toEqual(
      uploads,
    );
  });

  test("an object and its chunks", () => {
    const chunk = { chunkId: digest, sizeBytes: 5, offset: 10, grant: "g" };
    const chunked = { info, manifestId: "m", page: { chunks: [chunk], nextOffset: 15 } };
    expect(
      rpc.decodeStoredObject(overTheWire(rpc.LocateResponseSchema, rpc.encodeLocateResponse(chunked, 1000))),
    ).toEqual(chunked);
    const inline = { info: { ...info, sizeBytes: 0 }, inline: new Uint8Array(0) };
    expect(rpc.decodeStoredObject(overTheWire(rpc.LocateResponseSchema, rpc.encodeLocateResponse(inline, 0)))).toEqual(
      inline,
    );
    const further = overTheWire(
      rpc.LocateResponseSchema,
      rpc.encodeLocateResponse({ manifestId: "m", page: { chunks: [chunk] } }, 0),
    );
    expect(rpc.decodeManifestPage(further)).toEqual({ chunks: [chunk] });
    expect(() => rpc.decodeStoredObject(further)).toThrow(expect.objectContaining({ code: "INTERNAL" }));
  });

  test("chunks of a store; the age of a claim is never rounded up", () => {
    const page = { chunks: [{ chunkId: digest, sizeBytes: 5, unclaimedForMs: 999.9 }], nextCursor: "c" };
    const decoded = rpc.decodeChunkPage(overTheWire(rpc.ListChunksResponseSchema, rpc.encodeChunkPage(page)));
    expect(decoded).toEqual({ chunks: [{ ...page.chunks[0], unclaimedForMs: 999 }], nextCursor: "c" });
  });

  test("the cluster", () => {
    const node = {
      nodeId: "n1",
      url: "http://n1:1",
      weight: 1,
      softwareVersion: "1",
      registeredAtMs: 1,
      lastHeartbeatAtMs: 2,
    };
    const stats = { chunkCount: 1, bytesUsed: 2, bytesFree: 3, bytesTotal: 4 };
    const snapshot = {
      nodes: [
        { ...node, state: "up" as const, stats },
        { ...node, state: "down" as const },
        { ...node, zone: "z", state: "stopped" as const },
      ],
      layouts: [
        {
          layoutVersion: 1,
          replicationFactor: 3,
          virtualNodesPerNode: 150,
          nodes: [{ nodeId: "n1", weight: 1 }],
        },
      ],
    };
    const limits = { inlineMaxBytes: 32768, chunkMaxBytes: 67_108_864 };
    const decoded = rpc.decodeClusterSnapshot(
      overTheWire(rpc.GetClusterResponseSchema, rpc.encodeClusterSnapshot(snapshot, limits)),
    );
    expect(decoded).toEqual({ ...snapshot, ...limits });
  });

  test("a store without a disk has no disk figures", () => {
    const stats = { chunkCount: 2, bytesUsed: 3 };
    expect(
      rpc.decodeChunkStoreStats(overTheWire(rpc.HealthCheckResponseSchema, rpc.encodeChunkStoreStats(stats))),
    ).toEqual(stats);
  });
});

test("a request for an access token", () => {
  const request = { bucket: "b", prefix: "p/", role: "readonly", expiresInMs: 60_000 } as const;
  const received = overTheWire(rpc.CreateAccessTokenRequestSchema, rpc.encodeAccessTokenRequest(request));
  expect(rpc.decodeAccessTokenRequest(received)).toEqual(request);
  const bare = overTheWire(rpc.CreateAccessTokenRequestSchema, rpc.encodeAccessTokenRequest({ bucket: "b" }));
  expect(rpc.decodeAccessTokenRequest(bare)).toEqual({ bucket: "b" });
  const token = { token: "t", expiresAtMs: 1_800_000_000_000 };
  const answer = overTheWire(rpc.CreateAccessTokenResponseSchema, rpc.encodeAccessToken(token));
  expect(rpc.decodeAccessToken(answer)).toEqual(token);
  for (const role of ["admin", "Readonly", "ACCESS_ROLE_READONLY", " "]) {
    const odd = overTheWire(rpc.CreateAccessTokenRequestSchema, { bucket: "b", role });
    expect(() => rpc.decodeAccessTokenRequest(odd)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  }
});

describe("what must not pass", () => {
  test("64-bit integers beyond 2^53 - 1", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(1n << 63n), max: (1n << 64n) - 1n }), (value) => {
        const safe = value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);
        if (safe) return rpc.encodeInteger(rpc.decodeInteger(value, "x")) === value;
        try {
          rpc.decodeInteger(value, "x");
          return false;
        } catch (error) {
          return AshlarError.is(error, "INVALID_ARGUMENT");
        }
      }),
    );
  });

  test("numbers that are not finite", () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => rpc.encodeInteger(value)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    }
  });

  test("chunk ids that do not have 32 bytes", () => {
    const message = create(rpc.CommitWriteRequestSchema, {
      content: { case: "chunked", value: { chunks: [{ chunkId: digest.subarray(1), sizeBytes: 1n }] } },
    });
    expect(() => rpc.decodeCommitWrite(message)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test("a commit without content, an unknown durability", () => {
    const empty = create(rpc.CommitWriteRequestSchema, {});
    expect(() => rpc.decodeCommitWrite(empty)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => rpc.decodeDurability(99 as never)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  test("a condition without a form on the wire, as no condition", () => {
    for (const given of [{ ifMatchAny: ["a", "b"] }, { ifUnmodifiedSinceMs: 0 }]) {
      const sent = create(ConditionSchema, rpc.encodeCondition(given));
      expect(() => rpc.decodeCondition(sent)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    }
    expect(rpc.encodeCondition(undefined)).toBeUndefined();
  });

  test("an unknown delete outcome as deleted", () => {
    expect(() => rpc.decodeDeleteOutcome(0)).toThrow(expect.objectContaining({ code: "INTERNAL" }));
    for (const outcome of ["deleted", "absent", "claimed"] as const) {
      expect(rpc.decodeDeleteOutcome(rpc.encodeDeleteOutcome(outcome))).toBe(outcome);
    }
  });
});

test("decoded chunk ids are copies, so that they do not pin the message", () => {
  const bytes = toBinary(
    rpc.CommitWriteRequestSchema,
    create(rpc.CommitWriteRequestSchema, {
      content: { case: "chunked", value: { chunks: [{ chunkId: digest, sizeBytes: 1n }] } },
    }),
  );
  const commit = rpc.decodeCommitWrite(fromBinary(rpc.CommitWriteRequestSchema, bytes));
  if (!("chunks" in commit.content)) throw new Error("chunks expected");
  expect(commit.content.chunks[0]?.chunkId.buffer).not.toBe(bytes.buffer);
  expect(commit.content.chunks[0]?.chunkId.buffer.byteLength).toBe(32);
});
