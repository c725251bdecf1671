import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex, isDigestHex } from "@ashlar/sdk/hash";
import { chunkedEtag, singleEtag } from "@ashlar/sdk/manifest";
import {
  assertBucketName,
  assertObjectKey,
  type ChunkedContent,
  type CommitObject,
  normalizeAttributes,
  type ObjectInfo,
  type PartInfo,
} from "@ashlar/sdk/ports";
import type { ReceivedCommit, ReceivedPart } from "@ashlar/sdk/rpc";
import type { GatewayContext } from "../gateway-context.ts";
import type { GatewayCall } from "../operations/operation.ts";
import { checkContent } from "./check-content.ts";
import { checkTicket } from "./check-ticket.ts";

type Facts = Pick<CommitObject, "content" | "etag" | "sha256">;

/**
 * Commits an object whose bytes come with the call or whose chunks are stored. Etag, layout and missing replicas are determined here. Of the facts
 * that the client declares, only the digest of several chunks is kept without a check.
 */
export async function commitWrite(
  context: GatewayContext,
  commit: ReceivedCommit,
  call: GatewayCall,
): Promise<ObjectInfo> {
  const { bucket, key, sizeBytes } = commit;
  assertBucketName(bucket);
  assertObjectKey(key);
  const attributes = normalizeAttributes(commit.attributes);
  const durability = commit.durability ?? context.durability;
  const facts = await establishFacts(context, commit, call);
  return await context.metadata.commitObject(
    { bucket, key, sizeBytes, attributes, durability, condition: commit.condition, ...facts },
    call,
  );
}

async function establishFacts(context: GatewayContext, commit: ReceivedCommit, call: GatewayCall): Promise<Facts> {
  const { content, bucket, key, sizeBytes } = commit;
  if ("inline" in content) {
    if (commit.ticket !== undefined) await checkTicket(context, commit.ticket, { bucket, key, ...call });
    return await inlineFacts(context, content.inline, commit);
  }
  const ticket = await checkTicket(context, commit.ticket, { bucket, key, ...call });
  const checked = await checkContent(context, ticket, content, { sizeBytes, signal: call.signal });
  return { content: checked, etag: etagOf(checked), sha256: digestOf(checked, commit.sha256) };
}

async function inlineFacts(context: GatewayContext, inline: Uint8Array, commit: ReceivedCommit): Promise<Facts> {
  const { inlineMaxBytes } = context.limits;
  if (inline.byteLength > inlineMaxBytes) {
    throw new AshlarError(
      "OBJECT_TOO_LARGE",
      `inline bytes are at most ${inlineMaxBytes}; store larger objects as chunks`,
      {
        details: { inlineMaxBytes: String(inlineMaxBytes) },
      },
    );
  }
  if (inline.byteLength !== commit.sizeBytes) {
    throw new AshlarError("INVALID_ARGUMENT", `there are ${inline.byteLength} inline bytes, not ${commit.sizeBytes}`);
  }
  const sha256 = await context.hasher.digest(inline);
  assertDeclared(commit.sha256, encodeHex(sha256));
  return { content: { inline: inline.slice() }, etag: singleEtag(sha256), sha256: encodeHex(sha256) };
}

/** Records a part whose chunks are stored; an empty part has none. */
export async function commitPart(context: GatewayContext, part: ReceivedPart, call: GatewayCall): Promise<PartInfo> {
  const { uploadId, partNumber, sizeBytes } = part;
  const { bucket, key } = await context.metadata.getUpload(uploadId, { signal: call.signal });
  const ticket = await checkTicket(context, part.ticket, { bucket, key, ...call });
  let content: ChunkedContent = { chunks: [] };
  if (sizeBytes > 0 || part.content.chunks.length > 0) {
    content = await checkContent(context, ticket, part.content, { sizeBytes, signal: call.signal });
  }
  const empty = content.chunks.length === 0 ? await context.hasher.digest(new Uint8Array(0)) : undefined;
  if (empty !== undefined) assertDeclared(part.sha256, encodeHex(empty));
  const sha256 = empty === undefined ? digestOf(content, part.sha256) : encodeHex(empty);
  const etag = empty === undefined ? etagOf(content) : singleEtag(empty);
  return await context.metadata.putPart({ uploadId, partNumber, sizeBytes, etag, sha256, content }, call);
}

const etagOf = (content: ChunkedContent): string => chunkedEtag(content.chunks.map((chunk) => chunk.chunkId));

/** The digest of content: for one chunk its id, which is certain; for several as declared. */
function digestOf(content: ChunkedContent, declared: string | undefined): string | undefined {
  const [first, second] = content.chunks;
  if (first !== undefined && second === undefined) {
    const actual = encodeHex(first.chunkId);
    assertDeclared(declared, actual);
    return actual;
  }
  if (declared !== undefined && !isDigestHex(declared)) {
    throw new AshlarError("INVALID_ARGUMENT", "sha256 is 64 characters of lower-case hex", {
      details: { field: "sha256" },
    });
  }
  return declared;
}

function assertDeclared(declared: string | undefined, actual: string): void {
  if (declared === undefined || declared === actual) return;
  throw new AshlarError("CHECKSUM_MISMATCH", "the bytes do not have the declared SHA-256; nothing was written", {
    details: { declared, actual },
  });
}
