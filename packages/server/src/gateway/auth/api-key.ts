import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex, sha256Sync } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import {
  type ApiKeyRecord,
  type ApiKeyRequest,
  assertBucketName,
  assertObjectKey,
  type Clock,
  type CredentialScope,
  type MetadataStore,
  type Random,
  systemClock,
} from "@ashlar/sdk/ports";
import { encodeBase64Url } from "../../grants/base64url.ts";
import type { GrantKeeper } from "../../grants/index.ts";

const KEY_ID_BYTES = 8;
const SECRET_BYTES = 32;
// The key id is hex, so that the first underscore after it begins the secret, which may contain more of them.
const API_KEY = /^ashlar_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;
const encoder = new TextEncoder();

/** An API key taken apart. */
export interface ParsedApiKey {
  readonly keyId: string;
  readonly secret: string;
}

/** Takes `ashlar_<keyId>_<secret>` apart; `undefined` for anything else. */
export function parseApiKey(text: string): ParsedApiKey | undefined {
  const [, keyId, secret] = text.match(API_KEY) ?? [];
  return keyId === undefined || secret === undefined ? undefined : { keyId, secret };
}

/** Whether the secret is the one of the record. The digests are compared in constant time. */
export function secretMatches(secret: string, record: Pick<ApiKeyRecord, "secretSha256">): boolean {
  const digest = sha256Sync(encoder.encode(secret));
  let difference = digest.byteLength ^ record.secretSha256.byteLength;
  for (let index = 0; index < digest.byteLength; index++) {
    difference |= (digest[index] ?? 0) ^ (record.secretSha256[index] ?? 0);
  }
  return difference === 0;
}

/** What an API key is made with. */
export interface CreateApiKeyOptions extends ApiKeyRequest {
  readonly metadata: Pick<MetadataStore, "createApiKey" | "getBucket">;
  readonly random: Pick<Random, "bytes">;
  /** Default: the system's. */
  readonly clock?: Pick<Clock, "nowMs"> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Seals the secret, so that {@link recoverSecret} can return it; default: only its digest is kept. */
  readonly grants?: Pick<GrantKeeper, "seal"> | undefined;
}

/**
 * Makes an API key and stores its digest. The key itself is only in the answer; without `grants` it cannot be recovered.
 *
 * @throws {AshlarError} INVALID_ARGUMENT, INVALID_BUCKET_NAME, BUCKET_NOT_FOUND, METADATA_UNAVAILABLE.
 */
export async function createApiKey(
  options: CreateApiKeyOptions,
): Promise<{ readonly apiKey: string; readonly record: ApiKeyRecord }> {
  const { metadata, random, clock = systemClock, signal, name = "", role = "readwrite", expiresInMs } = options;
  const scope = await scopeOf(options);
  const minMs = LIMITS.ACCESS_TOKEN_TTL_MIN_MS;
  if (expiresInMs !== undefined && !(expiresInMs >= minMs)) throw invalid(`an API key lives at least ${minMs} ms`);
  const expiresAtMs = expiresInMs === undefined ? undefined : Math.floor(clock.nowMs() + expiresInMs);
  const keyId = encodeHex(random.bytes(KEY_ID_BYTES));
  const secret = encodeBase64Url(random.bytes(SECRET_BYTES));
  const secretSha256 = sha256Sync(encoder.encode(secret));
  const sealedSecret = await options.grants?.seal(secret, keyId);
  const request = { keyId, name, role, secretSha256, sealedSecret, scope, expiresAtMs };
  const record = await metadata.createApiKey(request, { signal });
  return { apiKey: `ashlar_${keyId}_${secret}`, record };
}

/**
 * The secret of an API key, for signatures that are made with it.
 *
 * @returns `undefined` if it was not sealed when the key was made.
 * @throws {AshlarError} UNAUTHENTICATED if it was sealed under a key that the cluster no longer has.
 */
export async function recoverSecret(
  { keyId, sealedSecret }: ApiKeyRecord,
  grants: Pick<GrantKeeper, "unseal">,
): Promise<string | undefined> {
  return sealedSecret === undefined ? undefined : await grants.unseal(sealedSecret, keyId);
}

async function scopeOf(options: CreateApiKeyOptions): Promise<CredentialScope | undefined> {
  const { metadata, signal, role, bucket, prefix = "" } = options;
  if (bucket === undefined) {
    if (prefix !== "") throw invalid("a prefix needs the bucket that it is of");
    return undefined;
  }
  assertBucketName(bucket);
  if (prefix !== "") assertObjectKey(prefix);
  if (role === "admin") throw invalid("a key of role admin reaches everything: give another role, or no bucket");
  if ((await metadata.getBucket(bucket, { signal })) === undefined) {
    throw new AshlarError("BUCKET_NOT_FOUND", `no bucket ${bucket}`, { details: { bucket } });
  }
  return { bucket, prefix };
}

const invalid = (message: string): AshlarError => new AshlarError("INVALID_ARGUMENT", message);
