import { encodeHex, sha256Sync } from "@ashlar/sdk/hash";
import type { ApiKeyRecord, ApiKeyRole, CredentialCatalog, Random } from "@ashlar/sdk/ports";
import { encodeBase64Url } from "../../grants/base64url.ts";

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

/**
 * Makes an API key and stores its digest. The key itself is in the answer only and cannot be had again.
 *
 * @param options.name for people, to tell keys apart.
 * @throws {AshlarError} METADATA_UNAVAILABLE.
 */
export async function createApiKey(options: {
  readonly metadata: Pick<CredentialCatalog, "createApiKey">;
  readonly random: Pick<Random, "bytes">;
  readonly name: string;
  readonly role: ApiKeyRole;
}): Promise<{ readonly apiKey: string; readonly record: ApiKeyRecord }> {
  const { metadata, random, name, role } = options;
  const keyId = encodeHex(random.bytes(KEY_ID_BYTES));
  const secret = encodeBase64Url(random.bytes(SECRET_BYTES));
  const record = await metadata.createApiKey({ keyId, name, role, secretSha256: sha256Sync(encoder.encode(secret)) });
  return { apiKey: `ashlar_${keyId}_${secret}`, record };
}
