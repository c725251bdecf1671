import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  LocateRequest as LocateRequestMessage,
  LocateRequestSchema,
  LocateResponse as LocateResponseMessage,
  LocateResponseSchema,
} from "../gen/ashlar/v1/object_service_pb.js";
import type { GetObjectQuery, ManifestPage, StoredObject } from "../ports/index.ts";
import { decodeLocatedChunk, encodeLocatedChunk } from "./committed-content.ts";
import { decodeInteger, decodeText, encodeInteger } from "./integers.ts";
import { decodeObjectInfo, encodeObjectInfo } from "./object-info.ts";

/** A Locate call as a gateway receives it: the first page of an object, or a further page of a manifest. */
export interface ReceivedLocate extends GetObjectQuery {
  /** Set for further pages. */
  readonly manifestId: string | undefined;
}

export function encodeLocateRequest(query: GetObjectQuery): MessageInitShape<typeof LocateRequestSchema> {
  return {
    bucket: query.bucket,
    key: query.key,
    objectVersion: query.objectVersion ?? "",
    fromOffset: encodeInteger(query.fromOffset ?? 0),
    chunkLimit: query.chunkLimit,
  };
}

export function decodeLocateRequest(message: LocateRequestMessage): ReceivedLocate {
  return {
    bucket: message.bucket,
    key: message.key,
    objectVersion: decodeText(message.objectVersion),
    fromOffset: decodeInteger(message.fromOffset, "fromOffset"),
    chunkLimit: message.chunkLimit,
    manifestId: decodeText(message.manifestId),
  };
}

/**
 * An object and its first page; for a further page pass `{ manifestId, page }`.
 *
 * @param grantsExpireInMs life of the chunks' read grants in ms; 0 if they have none.
 */
export function encodeLocateResponse(
  located: StoredObject | (Omit<StoredObject, "info"> & { readonly info?: undefined }),
  grantsExpireInMs: number,
): MessageInitShape<typeof LocateResponseSchema> {
  return {
    info: located.info === undefined ? undefined : encodeObjectInfo(located.info),
    inline: located.inline,
    manifestId: located.manifestId ?? "",
    chunks: (located.page?.chunks ?? []).map(encodeLocatedChunk),
    nextOffset: encodeInteger(located.page?.nextOffset ?? 0),
    grantsExpireInMs: encodeInteger(grantsExpireInMs),
  };
}

/** Inline bytes are a view of the message. @throws {AshlarError} INTERNAL without `info`. */
export function decodeStoredObject(message: LocateResponseMessage): StoredObject {
  const manifestId = decodeText(message.manifestId);
  return {
    info: decodeObjectInfo(message.info),
    inline: message.inline,
    manifestId,
    page: manifestId === undefined ? undefined : decodeManifestPage(message),
  };
}

export function decodeManifestPage(message: LocateResponseMessage): ManifestPage {
  return {
    chunks: message.chunks.map(decodeLocatedChunk),
    nextOffset: decodeInteger(message.nextOffset, "nextOffset") || undefined,
  };
}
