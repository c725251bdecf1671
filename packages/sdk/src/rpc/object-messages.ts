import type {
  GetObjectRequest as GetObjectRequestMessage,
  HeadObjectRequest as HeadObjectRequestMessage,
  PutObjectHeader as PutObjectHeaderMessage,
} from "../gen/ashlar/v1/object_service_pb.js";
import type { ByteRange, GetObjectRequest, PutObjectRequest } from "../ports/index.ts";
import { decodeAttributes, decodeCondition } from "./attributes.ts";
import { decodeDurability } from "./durability.ts";
import { decodeInteger, decodeText } from "./integers.ts";

export { ObjectService } from "../gen/ashlar/v1/object_service_pb.js";

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

export function decodeHeadObject(message: HeadObjectRequestMessage): Omit<GetObjectRequest, "range"> {
  return {
    bucket: message.bucket,
    key: message.key,
    objectVersion: decodeText(message.objectVersion),
    condition: decodeCondition(message.condition),
  };
}
