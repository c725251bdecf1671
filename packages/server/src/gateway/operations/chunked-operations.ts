/** Operations for clients that cut and move chunks themselves, as our SDK does in every seat: where to write, where to read, and the commit. */
import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import { assertBucketName, assertObjectKey, type ManifestPage, type StoredObject } from "@ashlar/sdk/ports";
import type { ReceivedCommit, ReceivedLocate, ReceivedPart } from "@ashlar/sdk/rpc";
import type { EndOptions, GrantKeeper, ManifestGrant, TicketGrant } from "../../grants/index.ts";
import { callerOf } from "../auth/authenticator.ts";
import type { Touched } from "../auth/check-scope.ts";
import { commitPart, commitWrite } from "../commit/commit-write.ts";
import type { GatewayContext } from "../gateway-context.ts";
import { bucketAsSuch, object, requireBucket } from "./object-operations.ts";
import { type GatewayCall, operation } from "./operation.ts";
import { upload } from "./upload-operations.ts";

/** The two-step write of clients that store chunks themselves, and the chunk lists for their reads. */
export const CHUNKED_OPERATIONS = Object.freeze({
  beginWrite: operation({
    access: "write",
    // `beginWrite` narrows a ticket without a key to the scope.
    scope: ({ bucket, key }: BeginWrite) => (key === undefined ? bucketAsSuch({ bucket }) : object({ bucket, key })),
    run: beginWrite,
  }),
  commitWrite: operation({ access: "write", scope: (commit: ReceivedCommit) => object(commit), run: commitWrite }),
  commitPart: operation({ access: "write", scope: (part: ReceivedPart) => upload(part), run: commitPart }),
  locate: operation({ access: "read", scope: located, run: locate }),
});

/** A write that is to begin. */
export interface BeginWrite {
  readonly bucket: string;
  /** Absent: any key that the caller may write. */
  readonly key?: string | undefined;
  /** The ticket to renew. */
  readonly renew?: string | undefined;
}

/** What a client needs to go on with a write. */
export interface BegunWrite {
  readonly ticket: string;
  readonly grant: string;
  readonly expiresInMs: number;
}

/** Given by an insecure gateway without a cluster key; nobody checks these. */
const UNSIGNED: Tokens = Object.freeze({ ticket: "unsigned", grant: "unsigned" });

async function beginWrite(
  context: GatewayContext,
  { bucket, key, renew }: BeginWrite,
  { principal, signal }: GatewayCall,
): Promise<BegunWrite> {
  await requireBucket(context.engine, bucket, signal);
  if (key !== undefined) assertObjectKey(key);
  const { apiKeyId, scope, expiresAtMs } = principal;
  const { credential } = callerOf(principal);
  const nowMs = Math.floor(context.clock.nowMs());
  const wanted = { bucket, key, prefix: scope?.prefix || undefined, apiKeyId, credential, nowMs };
  const end = { notAfterMs: expiresAtMs };
  const tokens = context.grants ? await issueTicket(context.grants, wanted, end, renew) : UNSIGNED;
  const lifeMs = LIMITS.GRANT_TTL_MS;
  const leftMs = Math.max(0, (expiresAtMs ?? Number.POSITIVE_INFINITY) - nowMs);
  return { ...tokens, expiresInMs: Math.min(lifeMs, leftMs) };
}

interface Tokens {
  readonly ticket: string;
  readonly grant: string;
}

interface TicketScope {
  readonly bucket: string;
  readonly key: string | undefined;
  /** Prefix of the caller's scope. */
  readonly prefix: string | undefined;
  readonly apiKeyId: string;
  /** The credential for which the caller's use of chunk APIs counts. */
  readonly credential: string | undefined;
  /** The gateway's time. */
  readonly nowMs: number;
}

/**
 * Signs a ticket and the write grant that belongs to it. A renewal keeps the ticket id, to which receipts are bound. It may come however late, because
 * the caller has shown an API key or access token: the old ticket only tells which receipts belong to the upload, and these have an end of their own.
 */
async function issueTicket(
  grants: GrantKeeper,
  scope: TicketScope,
  end: EndOptions,
  renew: string | undefined,
): Promise<Tokens> {
  const { apiKeyId, bucket, key, prefix, credential, nowMs } = scope;
  let ticketId = grants.newTicketId();
  let begunAtMs: number | undefined = nowMs;
  if (renew !== undefined) {
    const earlier = await earlierTicket(grants, renew, scope);
    ticketId = earlier.ticketId;
    // Absent in tickets of earlier releases: then nothing is known.
    begunAtMs = earlier.begunAtMs;
  }
  const [ticket, grant] = await Promise.all([
    grants.issueTicket({ ticketId, bucket, key, prefix, apiKeyId, begunAtMs }, end),
    grants.issueWrite({ ticketId, bucket, key, prefix, apiKeyId: credential }, end),
  ]);
  return { ticket, grant };
}

/** @throws {AshlarError} UNAUTHENTICATED, PERMISSION_DENIED, with `refused: "ticket"` in the details: no fault of the caller's credentials. */
async function earlierTicket(
  grants: GrantKeeper,
  renew: string,
  { apiKeyId, bucket, key, prefix }: TicketScope,
): Promise<TicketGrant> {
  const refused = { refused: "ticket" };
  const earlier = await grants
    .verify(renew, ["ticket"], { expiredForMs: Number.POSITIVE_INFINITY })
    .catch((cause: unknown): never => {
      const { code, message } = AshlarError.from(cause);
      throw new AshlarError(code, message, { cause, details: refused });
    });
  const isSame = earlier.bucket === bucket && earlier.key === key && earlier.prefix === prefix;
  if (isSame && earlier.apiKeyId === apiKeyId) return earlier;
  throw new AshlarError(
    "PERMISSION_DENIED",
    "a renewal has the bucket, key, prefix and API key of the ticket that it renews",
    { details: refused },
  );
}

function located({ manifestId, bucket, key }: ReceivedLocate): readonly Touched[] {
  return manifestId === undefined ? object({ bucket, key }) : [{ kind: "manifest", handle: manifestId }];
}

/** A page of chunks with grants to read them; the whole `StoredObject` if the first page is asked for. */
export type Located = StoredObject | { readonly manifestId: string; readonly page: ManifestPage };

async function locate(
  context: GatewayContext,
  query: ReceivedLocate,
  { principal, signal }: GatewayCall,
): Promise<Located> {
  const { credential: apiKeyId } = callerOf(principal);
  const { manifestId } = query;
  if (manifestId === undefined) return await locateObject(context, query, { apiKeyId, signal });
  return await furtherPage(context, query, { apiKeyId, handle: manifestId, signal });
}

interface Locating {
  /** The caller's: what the caller reads from chunk APIs counts for this key. */
  readonly apiKeyId: string | undefined;
  readonly signal: AbortSignal | undefined;
}

async function locateObject(
  context: GatewayContext,
  query: ReceivedLocate,
  { apiKeyId, signal }: Locating,
): Promise<StoredObject> {
  const { bucket, key } = query;
  assertBucketName(bucket);
  assertObjectKey(key);
  const stored = await context.metadata.getObject(query, { signal });
  if (stored === undefined)
    throw new AshlarError("OBJECT_NOT_FOUND", `no object ${bucket}/${key}`, { details: { bucket, key } });
  const { manifestId, page } = stored;
  if (manifestId === undefined) return stored;
  return { ...stored, ...(await signed(context, { manifestId, bucket, key, apiKeyId }, page ?? { chunks: [] })) };
}

async function furtherPage(
  context: GatewayContext,
  query: ReceivedLocate,
  { apiKeyId, handle, signal }: Locating & { readonly handle: string },
): Promise<Located> {
  const located = (await context.grants?.verify(handle, ["manifest"])) ?? { manifestId: handle };
  const { manifestId } = located;
  const { fromOffset = 0, chunkLimit } = query;
  const page = await context.metadata.getManifestPage({ manifestId, fromOffset, limit: chunkLimit }, { signal });
  return signed(context, { ...located, apiKeyId }, page);
}

/** The page with a read grant for each chunk, and a handle for further pages. */
async function signed(
  { grants }: GatewayContext,
  located: Pick<ManifestGrant, "manifestId" | "bucket" | "key"> & Pick<Locating, "apiKeyId">,
  page: ManifestPage,
): Promise<{ readonly manifestId: string; readonly page: ManifestPage }> {
  const { manifestId, bucket, key, apiKeyId } = located;
  if (grants === undefined) return { manifestId, page };
  const chunks = page.chunks.map(async (chunk) => ({
    ...chunk,
    grant: await grants.issueRead({ chunkId: chunk.chunkId, apiKeyId }),
  }));
  const [handle, granted] = await Promise.all([grants.issueManifest({ manifestId, bucket, key }), Promise.all(chunks)]);
  return { manifestId: handle, page: { ...page, chunks: granted } };
}
