import { decodeDigestHex, encodeHex, isDigestHex } from "@ashlar/sdk/hash";
import type { Grant } from "./grant.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** The signed payload: JSON of the grant with short, fixed names; the chunk id in hex. */
export function encodePayload(grant: Grant): Uint8Array<ArrayBuffer> {
  const { kind, expiresAtMs, ...rest } = grant;
  const fields = "chunkId" in rest ? { ...rest, chunkId: encodeHex(rest.chunkId) } : rest;
  return encoder.encode(JSON.stringify({ kind, exp: expiresAtMs, ...fields }));
}

/** Kind of a payload that is not verified yet, to choose the key by; `undefined` if it is no payload at all. */
export function peekKind(payload: Uint8Array): { readonly fields: Fields; readonly kind: string } | undefined {
  try {
    const fields: unknown = JSON.parse(decoder.decode(payload));
    if (typeof fields !== "object" || fields === null || Array.isArray(fields)) return undefined;
    const kind = (fields as Fields).kind;
    return typeof kind === "string" ? { fields: fields as Fields, kind } : undefined;
  } catch {
    return undefined;
  }
}

export type Fields = Readonly<Record<string, unknown>>;

/** The grant of a verified payload; `undefined` if it lacks a field, as one of another release may. */
export function decodePayload(fields: Fields): Grant | undefined {
  const expiresAtMs = count(fields.exp);
  if (expiresAtMs === undefined) return undefined;
  switch (fields.kind) {
    case "cluster":
      return { kind: "cluster", expiresAtMs };
    case "write":
    case "ticket":
      return decodeTicket(fields, expiresAtMs);
    case "read": {
      const chunkId = digest(fields.chunkId);
      return chunkId && { kind: "read", chunkId, ...optional("apiKeyId", fields), expiresAtMs };
    }
    case "receipt":
      return decodeReceipt(fields, expiresAtMs);
    case "manifest": {
      const manifestId = text(fields.manifestId);
      if (manifestId === undefined) return undefined;
      return { kind: "manifest", manifestId, bucket: text(fields.bucket), key: text(fields.key), expiresAtMs };
    }
    case "access":
      return decodeAccess(fields, expiresAtMs);
    default:
      return undefined;
  }
}

function decodeTicket(fields: Fields, expiresAtMs: number): Grant | undefined {
  const ticketId = text(fields.ticketId);
  const bucket = text(fields.bucket);
  const key = text(fields.key);
  const prefix = text(fields.prefix);
  if (ticketId === undefined || bucket === undefined) return undefined;
  // A field that narrows the scope is absent or understood, and never ignored.
  if ((fields.key !== undefined && key === undefined) || (fields.prefix !== undefined && prefix === undefined))
    return undefined;
  const narrowed = { ...(key === undefined ? {} : { key }), ...(prefix === undefined ? {} : { prefix }) };
  const scope = { ticketId, bucket, ...narrowed, expiresAtMs };
  if (fields.kind === "write") return { kind: "write", ...scope, ...optional("apiKeyId", fields) };
  const apiKeyId = text(fields.apiKeyId);
  const begunAtMs = count(fields.begunAtMs);
  if (apiKeyId === undefined) return undefined;
  return { kind: "ticket", apiKeyId, ...(begunAtMs === undefined ? {} : { begunAtMs }), ...scope };
}

function decodeAccess(fields: Fields, expiresAtMs: number): Grant | undefined {
  const apiKeyId = text(fields.apiKeyId);
  const bucket = text(fields.bucket);
  const prefix = text(fields.prefix);
  const tokenId = text(fields.tokenId);
  const { role } = fields;
  if (apiKeyId === undefined || bucket === undefined || prefix === undefined) return undefined;
  if (role !== "readonly" && role !== "readwrite") return undefined;
  return { kind: "access", apiKeyId, ...(tokenId === undefined ? {} : { tokenId }), role, bucket, prefix, expiresAtMs };
}

function decodeReceipt(fields: Fields, expiresAtMs: number): Grant | undefined {
  const ticketId = text(fields.ticketId);
  const chunkId = digest(fields.chunkId);
  const sizeBytes = count(fields.sizeBytes);
  if (ticketId === undefined || chunkId === undefined || sizeBytes === undefined) return undefined;
  const facts = { kind: "receipt", ticketId, chunkId, sizeBytes, expiresAtMs } as const;
  if (fields.holder === "node") {
    const nodeId = text(fields.nodeId);
    return nodeId === undefined ? undefined : { ...facts, holder: "node", nodeId };
  }
  const layoutVersion = count(fields.layoutVersion);
  const nodeIds = texts(fields.nodeIds);
  const missedNodeIds = texts(fields.missedNodeIds);
  if (fields.holder !== "gateway" || layoutVersion === undefined) return undefined;
  if (nodeIds === undefined || missedNodeIds === undefined) return undefined;
  const standInNodeIds = texts(fields.standInNodeIds);
  const standIns = standInNodeIds === undefined ? {} : { standInNodeIds };
  return { ...facts, holder: "gateway", layoutVersion, nodeIds, missedNodeIds, ...standIns };
}

function optional<Name extends string>(name: Name, fields: Fields): { readonly [Key in Name]?: string } {
  const value = text(fields[name]);
  return value === undefined ? {} : ({ [name]: value } as { readonly [Key in Name]: string });
}

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

const count = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;

const texts = (value: unknown): readonly string[] | undefined =>
  Array.isArray(value) && value.every((entry) => typeof entry === "string") ? value : undefined;

const digest = (value: unknown): ReturnType<typeof decodeDigestHex> | undefined =>
  typeof value === "string" && isDigestHex(value) ? decodeDigestHex(value) : undefined;
