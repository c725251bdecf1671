import { AshlarError } from "../errors/index.ts";
import { type Digest, encodeHex } from "../hash/digest.ts";
import { chunkedEtagBy, singleEtag } from "../manifest/etag.ts";
import type {
  CallOptions,
  CommitObject,
  PartInfo,
  PutObjectOutcome,
  PutObjectRequest,
  WriteOptions,
  WritePartRequest,
  WriteTransferOptions,
} from "../ports/index.ts";
import { checkDurability, normalizeDeclaredDigest } from "../ports/metadata-checks.ts";
import { normalizeAttributes } from "../ports/names.ts";
import type { UploadTickets } from "./claims-and-tickets.ts";
import type { EngineContext } from "./engine-context.ts";
import type { TriedOptions } from "./retry.ts";
import { type StoredBody, storeBody } from "./store-body.ts";

/** Stores a body and commits it as an object. Nothing is visible before the commit, and nothing at all if that is refused. */
export async function writeObject(
  context: EngineContext,
  request: PutObjectRequest,
  body: AsyncIterable<Uint8Array>,
  options: WriteTransferOptions & { readonly mayBeRepeat: boolean },
): Promise<PutObjectOutcome> {
  const attributes = normalizeAttributes(request.attributes);
  const durability = request.durability ?? context.durability;
  checkDurability(durability);
  const declared = normalizeDeclaredDigest(request.sha256);
  const chunker = request.chunker ?? context.chunker;
  const { mayBeRepeat } = options;
  const stored = await storeBody(
    context,
    {
      bucket: request.bucket,
      sizeBytes: request.sizeBytes,
      chunker,
      durability,
      inlineMaxBytes: context.inlineMaxBytes,
      // A write with an operation id of the caller may have happened already, and the check may find its own result. Only the commit knows.
      check: mayBeRepeat ? undefined : (call) => checkEarly(context, request, call),
    },
    body,
    options,
  );
  assertDeclaredDigest(declared, stored.sha256);
  const commit: CommitObject = {
    bucket: request.bucket,
    key: request.key,
    sizeBytes: stored.sizeBytes,
    etag: await etagOf(context, stored),
    sha256: encodeHex(stored.sha256),
    durability,
    attributes,
    content: stored.inline === undefined ? { chunks: stored.chunks } : { inline: stored.inline },
    condition: request.condition,
  };
  const commitOptions = commitOptionsOf(options, stored);
  const tickets = stored.inline === undefined ? stored.tickets : undefined;
  const info = await withTicket(tickets, (ticket) =>
    context.catalog.commitObject({ ...commit, ticket }, commitOptions),
  );
  return {
    ...info,
    replicas: stored.replicas,
    chunkCount: stored.chunks.length,
    deduplicatedBytes: stored.deduplicatedBytes,
  };
}

/** Stores a body and records it as a part of an upload. */
export async function writePart(
  context: EngineContext,
  request: WritePartRequest,
  body: AsyncIterable<Uint8Array>,
  options: WriteTransferOptions,
): Promise<PartInfo> {
  const declared = normalizeDeclaredDigest(request.sha256);
  const upload = await context.catalog.getUpload(request.uploadId, { signal: options.signal });
  const stored = await storeBody(
    context,
    {
      bucket: upload.bucket,
      sizeBytes: request.sizeBytes,
      chunker: context.chunker,
      durability: upload.durability,
      inlineMaxBytes: 0, // a part has no row for inline bytes
    },
    body,
    options,
  );
  assertDeclaredDigest(declared, stored.sha256);
  const part = {
    uploadId: request.uploadId,
    partNumber: request.partNumber,
    sizeBytes: stored.sizeBytes,
    etag: await etagOf(context, stored),
    sha256: encodeHex(stored.sha256),
    content: { chunks: stored.chunks },
  };
  const commitOptions = commitOptionsOf(options, stored);
  // An empty part needs a ticket too, although it has no chunk.
  return await withTicket(stored.tickets, (ticket) => context.catalog.putPart({ ...part, ticket }, commitOptions));
}

/**
 * Refuses a write while its first chunks move, if the commit would refuse it: no such bucket, or a condition that does not hold. The commit decides
 * all of it again; this only saves the rest of the transfer. Lists of etags and dates are left to the commit, and to the gateway, which takes them:
 * every page would have to load the code that checks them.
 *
 * Where tickets are needed, the gateway that issued the ticket has checked the bucket.
 *
 * @throws {AshlarError} BUCKET_NOT_FOUND, PRECONDITION_FAILED.
 */
async function checkEarly(context: EngineContext, request: PutObjectRequest, call: CallOptions): Promise<void> {
  const { bucket, key, condition } = request;
  if (condition !== undefined) {
    const current = await context.catalog.getObject({ bucket, key, chunkLimit: 0 }, call);
    const etag = current?.info.etag;
    const { ifMatch, ifNoneMatch } = condition;
    const holds = (wanted: string): boolean => etag !== undefined && (wanted === "*" || wanted === etag);
    if ((ifMatch === undefined || holds(ifMatch)) && (ifNoneMatch === undefined || !holds(ifNoneMatch))) return;
    throw new AshlarError("PRECONDITION_FAILED", "the current version does not meet the condition", {
      details: etag === undefined ? {} : { etag },
    });
  }
  if (context.tickets !== undefined) return;
  const found = await context.catalog.getBucket(bucket, call);
  if (found === undefined) throw new AshlarError("BUCKET_NOT_FOUND", `no bucket ${bucket}`, { details: { bucket } });
}

/** Throws CHECKSUM_MISMATCH if the caller declared another digest than the body has. @param declaredHex in lower case. */
function assertDeclaredDigest(declaredHex: string | undefined, sha256: Digest): void {
  if (declaredHex === undefined) return;
  const actual = encodeHex(sha256);
  if (declaredHex !== actual) {
    throw new AshlarError("CHECKSUM_MISMATCH", "the body does not have the declared SHA-256; nothing was written", {
      details: { declared: declaredHex, actual },
    });
  }
}

async function etagOf({ hasher }: EngineContext, { chunks, sha256 }: StoredBody): Promise<string> {
  if (chunks.length === 0) return singleEtag(sha256);
  const chunkIds = chunks.map((chunk) => chunk.chunkId);
  return await chunkedEtagBy(hasher, chunkIds);
}

function withTicket<T>(tickets: UploadTickets | undefined, commit: (ticket?: string) => Promise<T>): Promise<T> {
  return tickets === undefined ? commit() : tickets.forCommit(commit);
}

function commitOptionsOf(
  { signal, operationId, credential, outcome }: WriteOptions,
  { assertClaimed }: StoredBody,
): TriedOptions {
  return { signal, operationId, credential, outcome, beforeTry: assertClaimed };
}
