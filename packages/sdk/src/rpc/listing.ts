import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  CopyObjectRequest as CopyObjectRequestMessage,
  CopyObjectRequestSchema,
  ListObjectsRequest as ListObjectsRequestMessage,
  ListObjectsRequestSchema,
  ListObjectsResponse as ListObjectsResponseMessage,
  ListObjectsResponseSchema,
} from "../gen/ashlar/v1/object_service_pb.js";
import type { CopyObject, ListObjectsQuery, ObjectListPage } from "../ports/index.ts";
import { decodeAttributes, decodeCondition, encodeAttributes, encodeCondition } from "./attributes.ts";
import { decodeCount, decodeInteger, decodeText, encodeInteger, required } from "./integers.ts";

export function encodeListObjectsQuery(query: ListObjectsQuery): MessageInitShape<typeof ListObjectsRequestSchema> {
  return {
    bucket: query.bucket,
    prefix: query.prefix ?? "",
    delimiter: query.delimiter ?? "",
    cursor: query.cursor ?? "",
    startAfter: query.startAfter ?? "",
    limit: query.limit ?? 0,
  };
}

export function decodeListObjectsQuery(message: ListObjectsRequestMessage): ListObjectsQuery {
  return {
    bucket: message.bucket,
    prefix: decodeText(message.prefix),
    delimiter: decodeText(message.delimiter),
    cursor: decodeText(message.cursor),
    startAfter: decodeText(message.startAfter),
    limit: decodeCount(message.limit),
  };
}

export function encodeObjectListPage(page: ObjectListPage): MessageInitShape<typeof ListObjectsResponseSchema> {
  return {
    objects: page.objects.map((entry) => ({
      key: entry.key,
      objectVersion: entry.objectVersion,
      sizeBytes: encodeInteger(entry.sizeBytes),
      etag: entry.etag,
      sha256: entry.sha256 ?? "",
      createdAtMs: encodeInteger(entry.createdAtMs),
    })),
    prefixes: [...page.prefixes],
    nextCursor: page.nextCursor ?? "",
  };
}

export function decodeObjectListPage(message: ListObjectsResponseMessage): ObjectListPage {
  return {
    objects: message.objects.map((entry) => ({
      key: required(entry.key, "key"),
      objectVersion: required(entry.objectVersion, "objectVersion"),
      sizeBytes: decodeInteger(entry.sizeBytes, "sizeBytes"),
      etag: entry.etag,
      sha256: decodeText(entry.sha256),
      createdAtMs: decodeInteger(entry.createdAtMs, "createdAtMs"),
    })),
    prefixes: message.prefixes,
    nextCursor: decodeText(message.nextCursor),
  };
}

export function encodeCopyObject(copy: CopyObject): MessageInitShape<typeof CopyObjectRequestSchema> {
  // A member that is undefined counts as not given.
  return {
    ...(copy as Omit<CopyObject, "sourceIfMatch">),
    attributes: copy.attributes && encodeAttributes(copy.attributes),
    condition: encodeCondition(copy.condition),
  };
}

export function decodeCopyObject(message: CopyObjectRequestMessage): CopyObject {
  return {
    sourceBucket: message.sourceBucket,
    sourceKey: message.sourceKey,
    sourceIfMatch: decodeText(message.sourceIfMatch),
    bucket: message.bucket,
    key: message.key,
    attributes: message.attributes === undefined ? undefined : decodeAttributes(message.attributes),
    condition: decodeCondition(message.condition),
  };
}
