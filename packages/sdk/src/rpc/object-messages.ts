import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  GetObjectRequest as GetObjectRequestMessage,
  GetObjectRequestSchema,
  HeadObjectRequest as HeadObjectRequestMessage,
  HeadObjectRequestSchema,
  PutObjectHeader as PutObjectHeaderMessage,
  PutObjectHeaderSchema,
} from "../gen/ashlar/v1/object_service_pb.js";
import type { ByteRange, GetObjectRequest, PutObjectRequest } from "../ports/index.ts";
import { decodeAttributes, decodeCondition, encodeAttributes, encodeCondition } from "./attributes.ts";
import { decodeDurability, encodeDurability } from "./durability.ts";
import { decodeInteger, decodeText, encodeInteger } from "./integers.ts";

export { ObjectService } from "../gen/ashlar/v1/object_service_pb.js";

/** The chunker stays behind: whoever runs the engine picks it. */
export function encodePutObjectHeader(request: PutObjectRequest): MessageInitShape<typeof PutObjectHeaderSchema> {
  return {
    bucket: request.bucket,
    key: request.key,
    attributes: encodeAttributes(request.attributes),
    condition: encodeCondition(request.condition),
    durability: encodeDurability(request.durability),
    sizeBytes: request.sizeBytes === undefined ? undefined : encodeInteger(request.sizeBytes),
    sha256: request.sha256 ?? "",
  };
}

export function decodePutObjectHeader(message: PutObjectHeaderMessage): PutObjectRequest {
  return {
    bucket: message.bucket,
    key: message.key,
    attributes: decodeAttributes(message.attributes),
    condition: decodeCondition(message.condition),
    durability: decodeDurability(message.durability),
    sizeBytes: message.sizeBytes === undefined ? undefined : decodeInteger(message.sizeBytes, "sizeBytes"),
    sha256: decodeText(message.sha256),
  };
}

/** @param frameBytes frames to ask for; 0: the server's default. */
export function encodeGetObject(
  request: GetObjectRequest,
  frameBytes: number,
): MessageInitShape<typeof GetObjectRequestSchema> {
  const { range } = request;
  return {
    bucket: request.bucket,
    key: request.key,
    objectVersion: request.objectVersion ?? "",
    offset: encodeInteger(range?.offset ?? 0),
    length: range?.length === undefined ? undefined : encodeInteger(range.length),
    condition: encodeCondition(request.condition),
    frameBytes,
  };
}

export function decodeGetObject(message: GetObjectRequestMessage): GetObjectRequest {
  return {
    bucket: message.bucket,
    key: message.key,
    objectVersion: decodeText(message.objectVersion),
    range: decodeRange(message),
    condition: decodeCondition(message.condition),
  };
}

function decodeRange(message: GetObjectRequestMessage): ByteRange | undefined {
  const offset = decodeInteger(message.offset, "offset");
  const length = message.length === undefined ? undefined : decodeInteger(message.length, "length");
  return offset === 0 && length === undefined ? undefined : { offset, length };
}

export function encodeHeadObject(
  request: Omit<GetObjectRequest, "range">,
): MessageInitShape<typeof HeadObjectRequestSchema> {
  return {
    bucket: request.bucket,
    key: request.key,
    objectVersion: request.objectVersion ?? "",
    condition: encodeCondition(request.condition),
  };
}

export function decodeHeadObject(message: HeadObjectRequestMessage): Omit<GetObjectRequest, "range"> {
  return {
    bucket: message.bucket,
    key: message.key,
    objectVersion: decodeText(message.objectVersion),
    condition: decodeCondition(message.condition),
  };
}
