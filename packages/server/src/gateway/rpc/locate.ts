import { AshlarError } from "@ashlar/sdk/errors";
import { assertBucketName, assertObjectKey, type ManifestPage, type StoredObject } from "@ashlar/sdk/ports";
import { decodeLocateRequest, encodeLocateResponse, type ObjectService, type ReceivedLocate } from "@ashlar/sdk/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import { type ManifestGrant, READ_GRANT_TTL_MS } from "../../grants/index.ts";
import { principalKey } from "../auth/auth-gate.ts";
import { callerOf } from "../auth/authenticator.ts";
import type { GatewayContext } from "../gateway-context.ts";

type Handlers = Pick<ServiceImpl<typeof ObjectService>, "locate">;

/** Tells clients that read chunks themselves where the bytes are, and lets them in there. */
export function locateHandlers(context: GatewayContext): Handlers {
  return {
    async locate(message, { signal, values }) {
      const { credential: apiKeyId } = callerOf(values.get(principalKey));
      const query = decodeLocateRequest(message);
      const located =
        query.manifestId === undefined
          ? await locateObject(context, query, { apiKeyId, signal })
          : await furtherPage(context, query, { apiKeyId, handle: query.manifestId, signal });
      return encodeLocateResponse(located, context.grants === undefined ? 0 : READ_GRANT_TTL_MS);
    },
  };
}

interface Locating {
  /** Of the caller: what it reads from chunk faces counts for it. */
  readonly apiKeyId: string | undefined;
  readonly signal: AbortSignal;
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

type FurtherPage = Parameters<typeof encodeLocateResponse>[0];

async function furtherPage(
  context: GatewayContext,
  query: ReceivedLocate,
  { apiKeyId, handle, signal }: Locating & { readonly handle: string },
): Promise<FurtherPage> {
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
