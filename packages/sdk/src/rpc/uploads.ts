import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  PartInfo as PartInfoMessage,
  PartInfoSchema,
  UploadInfo as UploadInfoMessage,
  UploadInfoSchema,
} from "../gen/ashlar/v1/object_pb.js";
import type {
  CompleteUploadRequest as CompleteUploadRequestMessage,
  CompleteUploadRequestSchema,
  CreateUploadRequest as CreateUploadRequestMessage,
  CreateUploadRequestSchema,
  ListPartsRequest as ListPartsRequestMessage,
  ListPartsRequestSchema,
  ListPartsResponse as ListPartsResponseMessage,
  ListPartsResponseSchema,
  ListUploadsRequest as ListUploadsRequestMessage,
  ListUploadsRequestSchema,
  ListUploadsResponse as ListUploadsResponseMessage,
  ListUploadsResponseSchema,
} from "../gen/ashlar/v1/object_service_pb.js";
import type {
  CompleteUpload,
  CreateUpload,
  Durability,
  ListPartsQuery,
  ListUploadsQuery,
  PartInfo,
  PartPage,
  UploadInfo,
  UploadPage,
} from "../ports/index.ts";
import { decodeAttributes, decodeCondition, encodeAttributes, encodeCondition } from "./attributes.ts";
import { decodeDurability, encodeDurability } from "./durability.ts";
import { decodeCount, decodeInteger, decodeText, encodeInteger, required } from "./integers.ts";

/** A new upload as a gateway receives it; if no durability is given, the gateway chooses. */
export interface ReceivedUpload extends Omit<CreateUpload, "durability"> {
  readonly durability: Durability | undefined;
}

export function encodeCreateUpload(
  create: CreateUpload | ReceivedUpload,
): MessageInitShape<typeof CreateUploadRequestSchema> {
  return {
    bucket: create.bucket,
    key: create.key,
    attributes: encodeAttributes(create.attributes),
    durability: encodeDurability(create.durability),
  };
}

export function decodeCreateUpload(message: CreateUploadRequestMessage): ReceivedUpload {
  return {
    bucket: message.bucket,
    key: message.key,
    attributes: decodeAttributes(message.attributes),
    durability: decodeDurability(message.durability),
  };
}

export function encodeUploadInfo(upload: UploadInfo): MessageInitShape<typeof UploadInfoSchema> {
  return {
    bucket: upload.bucket,
    key: upload.key,
    uploadId: upload.uploadId,
    createdAtMs: encodeInteger(upload.createdAtMs),
    attributes: encodeAttributes(upload.attributes),
    durability: encodeDurability(upload.durability),
  };
}

export function decodeUploadInfo(message: UploadInfoMessage | undefined): UploadInfo {
  const upload = required(message, "upload");
  return {
    bucket: upload.bucket,
    key: upload.key,
    uploadId: required(upload.uploadId, "uploadId"),
    createdAtMs: decodeInteger(upload.createdAtMs, "createdAtMs"),
    attributes: decodeAttributes(upload.attributes),
    durability: decodeDurability(upload.durability) ?? "strict",
  };
}

export function encodePartInfo(part: PartInfo): MessageInitShape<typeof PartInfoSchema> {
  return {
    partNumber: part.partNumber,
    sizeBytes: encodeInteger(part.sizeBytes),
    etag: part.etag,
    sha256: part.sha256 ?? "",
    createdAtMs: encodeInteger(part.createdAtMs),
  };
}

export function decodePartInfo(message: PartInfoMessage | undefined): PartInfo {
  const part = required(message, "part");
  return {
    partNumber: part.partNumber,
    sizeBytes: decodeInteger(part.sizeBytes, "sizeBytes"),
    etag: required(part.etag, "etag"),
    sha256: decodeText(part.sha256),
    createdAtMs: decodeInteger(part.createdAtMs, "createdAtMs"),
  };
}

export function encodeCompleteUpload(complete: CompleteUpload): MessageInitShape<typeof CompleteUploadRequestSchema> {
  return {
    uploadId: complete.uploadId,
    parts: complete.parts.map(({ partNumber, etag }) => ({ partNumber, etag })),
    sha256: complete.sha256 ?? "",
    condition: encodeCondition(complete.condition),
  };
}

export function decodeCompleteUpload(message: CompleteUploadRequestMessage): CompleteUpload {
  return {
    uploadId: message.uploadId,
    parts: message.parts.map(({ partNumber, etag }) => ({ partNumber, etag })),
    sha256: decodeText(message.sha256),
    condition: decodeCondition(message.condition),
  };
}

export function encodeListPartsQuery(query: ListPartsQuery): MessageInitShape<typeof ListPartsRequestSchema> {
  return { uploadId: query.uploadId, afterPartNumber: query.afterPartNumber ?? 0, limit: query.limit ?? 0 };
}

export function decodeListPartsQuery(message: ListPartsRequestMessage): ListPartsQuery {
  return {
    uploadId: message.uploadId,
    afterPartNumber: decodeCount(message.afterPartNumber),
    limit: decodeCount(message.limit),
  };
}

export function encodePartPage(page: PartPage): MessageInitShape<typeof ListPartsResponseSchema> {
  return { parts: page.parts.map(encodePartInfo), nextPartNumber: page.nextPartNumber ?? 0 };
}

export function decodePartPage(message: ListPartsResponseMessage): PartPage {
  return { parts: message.parts.map(decodePartInfo), nextPartNumber: decodeCount(message.nextPartNumber) };
}

export function encodeListUploadsQuery(query: ListUploadsQuery): MessageInitShape<typeof ListUploadsRequestSchema> {
  return { bucket: query.bucket, prefix: query.prefix ?? "", cursor: query.cursor ?? "", limit: query.limit ?? 0 };
}

export function decodeListUploadsQuery(message: ListUploadsRequestMessage): ListUploadsQuery {
  return {
    bucket: message.bucket,
    prefix: decodeText(message.prefix),
    cursor: decodeText(message.cursor),
    limit: decodeCount(message.limit),
  };
}

export function encodeUploadPage(page: UploadPage): MessageInitShape<typeof ListUploadsResponseSchema> {
  return { uploads: page.uploads.map(encodeUploadInfo), nextCursor: page.nextCursor ?? "" };
}

export function decodeUploadPage(message: ListUploadsResponseMessage): UploadPage {
  return { uploads: message.uploads.map(decodeUploadInfo), nextCursor: decodeText(message.nextCursor) };
}
