import type { ObjectAttributes, ObjectInfo } from "@ashlar/sdk/ports";
import { FOREIGN_CONTENT_HEADERS } from "../../http/foreign-content.ts";
import { formatHttpDate } from "../../http/http-date.ts";
import { decodeHeaderText, encodeHeaderText } from "./header-text.ts";
import { metadataFromHeaders, metadataHeaders } from "./metadata-headers.ts";

/** Headers that are kept with an object, and the attribute that each becomes. */
const ATTRIBUTE_HEADERS = {
  "content-type": "contentType",
  "cache-control": "cacheControl",
  "content-disposition": "contentDisposition",
  "content-encoding": "contentEncoding",
  "content-language": "contentLanguage",
  expires: "expires",
} as const satisfies Record<string, keyof ObjectAttributes>;

/** The attributes that a request's headers carry; `undefined` if it carries none. @throws {AshlarError} INVALID_ARGUMENT. */
export function attributesFromHeaders(header: Headers): ObjectAttributes | undefined {
  const attributes: Record<string, string> = {};
  for (const [name, attribute] of Object.entries(ATTRIBUTE_HEADERS)) {
    const value = header.get(name);
    if (value !== null && value !== "") attributes[attribute] = decodeHeaderText(value);
  }
  const metadata = metadataFromHeaders(header);
  if (metadata === undefined && Object.keys(attributes).length === 0) return undefined;
  return metadata === undefined ? attributes : { ...attributes, metadata };
}

/** The headers of an answer that carries or describes an object; without content-length and content-range. */
export function objectHeaders(info: ObjectInfo): Headers {
  const header = new Headers({
    ...validatorHeaders(info),
    "accept-ranges": "bytes",
    "ashlar-object-version": info.objectVersion,
    "ashlar-created-at-ms": String(info.createdAtMs),
    "ashlar-durability": info.durability,
    ...FOREIGN_CONTENT_HEADERS,
  });
  if (info.sha256 !== undefined) header.set("ashlar-sha256", info.sha256);
  for (const [name, attribute] of Object.entries(ATTRIBUTE_HEADERS)) {
    const value = info.attributes[attribute];
    if (value !== undefined) header.set(name, encodeHeaderText(value));
  }
  for (const [name, value] of metadataHeaders(info.attributes.metadata ?? {})) header.set(name, value);
  return header;
}

/** What lets a client ask later whether its copy is still good. */
export function validatorHeaders(info: ObjectInfo): { readonly etag: string; readonly "last-modified": string } {
  return { etag: `"${info.etag}"`, "last-modified": formatHttpDate(info.createdAtMs) };
}
