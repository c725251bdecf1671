import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  Bucket as BucketMessage,
  BucketSchema,
  ObjectInfo as ObjectInfoMessage,
  ObjectInfoSchema,
} from "../gen/ashlar/v1/object_pb.js";
import type { PutObjectOutcomeSchema } from "../gen/ashlar/v1/object_service_pb.js";
import type { BucketInfo, ObjectInfo, PutObjectOutcome } from "../ports/index.ts";
import { decodeAttributes, encodeAttributes } from "./attributes.ts";
import { decodeDurability, encodeDurability } from "./durability.ts";
import { decodeInteger, decodeText, encodeInteger, required } from "./integers.ts";

export function encodeBucket(bucket: BucketInfo): MessageInitShape<typeof BucketSchema> {
  return { bucket: bucket.bucket, createdAtMs: encodeInteger(bucket.createdAtMs) };
}

export function decodeBucket(message: BucketMessage | undefined): BucketInfo {
  const { bucket, createdAtMs } = required(message, "bucket");
  return { bucket: required(bucket, "bucket"), createdAtMs: decodeInteger(createdAtMs, "createdAtMs") };
}

export function encodeObjectInfo(info: ObjectInfo): MessageInitShape<typeof ObjectInfoSchema> {
  return {
    bucket: info.bucket,
    key: info.key,
    objectVersion: info.objectVersion,
    sizeBytes: encodeInteger(info.sizeBytes),
    etag: info.etag,
    sha256: info.sha256 ?? "",
    createdAtMs: encodeInteger(info.createdAtMs),
    durability: encodeDurability(info.durability),
    attributes: encodeAttributes(info.attributes),
  };
}

/** @throws {AshlarError} INTERNAL if the message is absent, INVALID_ARGUMENT for sizes beyond 2^53 - 1. */
export function decodeObjectInfo(message: ObjectInfoMessage | undefined): ObjectInfo {
  const info = required(message, "info");
  return {
    bucket: info.bucket,
    key: required(info.key, "key"),
    objectVersion: required(info.objectVersion, "objectVersion"),
    sizeBytes: decodeInteger(info.sizeBytes, "sizeBytes"),
    etag: info.etag,
    sha256: decodeText(info.sha256),
    createdAtMs: decodeInteger(info.createdAtMs, "createdAtMs"),
    durability: decodeDurability(info.durability) ?? "strict",
    attributes: decodeAttributes(info.attributes),
  };
}

export function encodePutOutcome(outcome: PutObjectOutcome): MessageInitShape<typeof PutObjectOutcomeSchema> {
  return {
    info: encodeObjectInfo(outcome),
    replicas: outcome.replicas,
    chunkCount: encodeInteger(outcome.chunkCount),
    deduplicatedBytes: encodeInteger(outcome.deduplicatedBytes),
  };
}
