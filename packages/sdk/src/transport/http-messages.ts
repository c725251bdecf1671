import { digestFromBytes } from "../hash/digest.ts";
import type {
  BucketInfo,
  ChunkedContent,
  ManifestPage,
  ObjectAttributes,
  ObjectInfo,
  ObjectListEntry,
  PartInfo,
  UploadInfo,
} from "../ports/index.ts";
import {
  base64FromBytes,
  bytesFromBase64,
  durabilityOf,
  integerOf,
  type JsonMessage,
  lacks,
  listOf,
  messageOf,
  nameOf,
  optionalTextOf,
  textOf,
} from "./proto-json.ts";

/** The member that holds the whole answer. @throws {AshlarError} INTERNAL if it is missing: the server breaks the contract. */
export function answerOf(message: JsonMessage, member: string): JsonMessage {
  if (!(member in message)) lacks(member);
  return messageOf(message, member);
}

export function bucketFrom(message: JsonMessage): BucketInfo {
  return { bucket: nameOf(message, "bucket"), createdAtMs: integerOf(message, "createdAtMs") };
}

/** Members of ObjectAttributes have the same names on the wire and in the port. */
function attributesFrom(message: JsonMessage): ObjectAttributes {
  return messageOf(message, "attributes");
}

export function objectInfoFrom(message: JsonMessage): ObjectInfo {
  return {
    ...objectListEntryFrom(message),
    bucket: textOf(message, "bucket"),
    durability: durabilityOf(message),
    attributes: attributesFrom(message),
  };
}

export function objectListEntryFrom(message: JsonMessage): ObjectListEntry {
  return {
    key: nameOf(message, "key"),
    objectVersion: nameOf(message, "objectVersion"),
    sizeBytes: integerOf(message, "sizeBytes"),
    etag: textOf(message, "etag"),
    sha256: optionalTextOf(message, "sha256"),
    createdAtMs: integerOf(message, "createdAtMs"),
  };
}

export function uploadFrom(message: JsonMessage): UploadInfo {
  return {
    bucket: textOf(message, "bucket"),
    key: textOf(message, "key"),
    uploadId: nameOf(message, "uploadId"),
    createdAtMs: integerOf(message, "createdAtMs"),
    attributes: attributesFrom(message),
    durability: durabilityOf(message),
  };
}

export function partFrom(message: JsonMessage): PartInfo {
  return {
    partNumber: integerOf(message, "partNumber"),
    sizeBytes: integerOf(message, "sizeBytes"),
    etag: nameOf(message, "etag"),
    sha256: optionalTextOf(message, "sha256"),
    createdAtMs: integerOf(message, "createdAtMs"),
  };
}

export function manifestPageFrom(message: JsonMessage): ManifestPage {
  return {
    chunks: listOf(message, "chunks").map((chunk) => ({
      chunkId: digestFromBytes(bytesFromBase64(textOf(chunk, "chunkId"))),
      sizeBytes: integerOf(chunk, "sizeBytes"),
      offset: integerOf(chunk, "offset"),
      grant: optionalTextOf(chunk, "grant"),
    })),
    nextOffset: integerOf(message, "nextOffset") || undefined,
  };
}

/** Layout and missed nodes are not sent: the gateway takes both from the receipts. */
export function jsonFromContent({ chunks }: ChunkedContent): object {
  return {
    chunks: chunks.map(({ chunkId, sizeBytes, receipts }) => ({
      chunkId: base64FromBytes(chunkId),
      sizeBytes,
      receipts,
    })),
  };
}
