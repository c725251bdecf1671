import { AshlarError } from "../errors/index.ts";
import { encodeHex } from "../hash/digest.ts";
import { chunkedEtagBy, singleEtag } from "../manifest/etag.ts";
import type {
  CommitObject,
  ObjectInfo,
  PartInfo,
  PutObjectOutcome,
  PutObjectRequest,
  TransferOptions,
  WritePartRequest,
} from "../ports/index.ts";
import { checkDurability, normalizeDeclaredDigest } from "../ports/metadata-checks.ts";
import { normalizeAttributes } from "../ports/names.ts";
import { checkEarly } from "./early-check.ts";
import type { EngineContext } from "./engine-context.ts";
import { withRetry } from "./retry.ts";
import { assertDeclaredDigest, type StoredBody, storeBody } from "./store-body.ts";

/** Stores a body and commits it as an object. Nothing is visible before the commit, and nothing at all if it fails. */
export async function writeObject(
  context: EngineContext,
  request: PutObjectRequest,
  body: AsyncIterable<Uint8Array>,
  options: TransferOptions,
): Promise<PutObjectOutcome> {
  const attributes = normalizeAttributes(request.attributes);
  const durability = request.durability ?? context.durability;
  checkDurability(durability);
  const declared = normalizeDeclaredDigest(request.sha256);
  const chunker = request.chunker ?? context.chunker;
  const stored = await storeBody(
    context,
    {
      bucket: request.bucket,
      sizeBytes: request.sizeBytes,
      chunker,
      durability,
      inlineMaxBytes: context.inlineMaxBytes,
      check: (call) => checkEarly(context, request, call),
    },
    body,
    options,
  );
  assertDeclaredDigest(declared, stored.sha256);
  const info = await commit(
    context,
    {
      bucket: request.bucket,
      key: request.key,
      sizeBytes: stored.sizeBytes,
      etag: await etagOf(context, stored),
      sha256: encodeHex(stored.sha256),
      durability,
      attributes,
      content:
        stored.inline === undefined
          ? { chunks: stored.chunks, layoutVersion: stored.layoutVersion }
          : { inline: stored.inline },
      condition: request.condition,
    },
    options,
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
  options: TransferOptions,
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
      inlineMaxBytes: 0, // parts have no row to lie in
    },
    body,
    options,
  );
  assertDeclaredDigest(declared, stored.sha256);
  const etag = await etagOf(context, stored);
  const ticket = await context.tickets?.get(upload.bucket, { signal: options.signal });
  return retryable(context, options, () =>
    context.catalog.putPart(
      {
        uploadId: request.uploadId,
        partNumber: request.partNumber,
        sizeBytes: stored.sizeBytes,
        etag,
        sha256: encodeHex(stored.sha256),
        content: { chunks: stored.chunks, layoutVersion: stored.layoutVersion },
        ticket: ticket?.ticket,
      },
      { signal: options.signal },
    ),
  );
}

async function etagOf({ hasher }: EngineContext, { chunks, sha256 }: StoredBody): Promise<string> {
  if (chunks.length === 0) return singleEtag(sha256);
  const chunkIds = chunks.map((chunk) => chunk.chunkId);
  return await chunkedEtagBy(hasher, chunkIds);
}

async function commit(
  context: EngineContext,
  commitObject: CommitObject,
  options: TransferOptions,
): Promise<ObjectInfo> {
  const inline = "inline" in commitObject.content;
  const ticket = inline ? undefined : await context.tickets?.get(commitObject.bucket, { signal: options.signal });
  const attempt = (): Promise<ObjectInfo> =>
    context.catalog.commitObject({ ...commitObject, ticket: ticket?.ticket }, { signal: options.signal });
  // A commit whose answer was lost may have happened. Repeating it is harmless, but under a condition its own first try would fail it.
  if (commitObject.condition !== undefined) return attempt();
  return retryable(context, options, attempt);
}

function retryable<T>(context: EngineContext, options: TransferOptions, work: () => Promise<T>): Promise<T> {
  return withRetry(work, { ...context, signal: options.signal }).catch((error: unknown) => {
    throw AshlarError.from(error);
  });
}
