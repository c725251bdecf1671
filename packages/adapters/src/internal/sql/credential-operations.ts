import { AshlarError } from "@ashlar/sdk/errors";
import { digestFromBytes } from "@ashlar/sdk/hash";
import type { ApiKeyRecord, ApiKeyRole, TokenRevocation } from "@ashlar/sdk/ports";
import { bytesToByteText, fromByteText } from "../metadata/byte-text.ts";
import { keyBytes } from "./object-rows.ts";
import type { SqlSession } from "./sql-session.ts";

interface KeyRow {
  readonly key_id: string;
  readonly name: string;
  readonly role: string;
  readonly secret_sha256: Uint8Array;
  readonly created_at_ms: number;
  readonly scope_bucket: string | null;
  readonly scope_prefix: Uint8Array | null;
  readonly expires_at_ms: number | null;
  readonly sealed_secret: Uint8Array | null;
}

const KEY_COLUMNS =
  "key_id, name, role, secret_sha256, created_at_ms, scope_bucket, scope_prefix, expires_at_ms, sealed_secret";

const NO_BYTES = new Uint8Array(0);

function recordOf(row: KeyRow): ApiKeyRecord {
  return {
    keyId: row.key_id,
    name: row.name,
    role: row.role as ApiKeyRole,
    secretSha256: digestFromBytes(row.secret_sha256),
    ...(row.sealed_secret === null ? {} : { sealedSecret: Uint8Array.from(row.sealed_secret) }),
    createdAtMs: row.created_at_ms,
    ...(row.scope_bucket === null
      ? {}
      : { scope: { bucket: row.scope_bucket, prefix: fromByteText(bytesToByteText(row.scope_prefix ?? NO_BYTES)) } }),
    ...(row.expires_at_ms === null ? {} : { expiresAtMs: row.expires_at_ms }),
  };
}

export async function createApiKey(
  session: SqlSession,
  record: Omit<ApiKeyRecord, "createdAtMs">,
): Promise<ApiKeyRecord> {
  const { keyId, name, role, secretSha256, sealedSecret, scope, expiresAtMs } = record;
  const reach = [scope?.bucket ?? null, scope === undefined ? null : keyBytes(scope.prefix)];
  const [row] = await session.query<KeyRow>(
    `INSERT INTO api_keys (${KEY_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (key_id) DO NOTHING RETURNING ${KEY_COLUMNS}`,
    [keyId, name, role, secretSha256, await session.nowMs(), ...reach, expiresAtMs ?? null, sealedSecret ?? null],
  );
  if (row === undefined) throw new AshlarError("INVALID_ARGUMENT", "the key id is taken", { details: { keyId } });
  return recordOf(row);
}

export async function findApiKey(session: SqlSession, keyId: string): Promise<ApiKeyRecord | undefined> {
  const [row] = await session.query<KeyRow>(`SELECT ${KEY_COLUMNS} FROM api_keys WHERE key_id = $1`, [keyId]);
  return row === undefined ? undefined : recordOf(row);
}

export async function listApiKeys(session: SqlSession): Promise<readonly ApiKeyRecord[]> {
  return (await session.query<KeyRow>(`SELECT ${KEY_COLUMNS} FROM api_keys ORDER BY key_id`)).map(recordOf);
}

export async function deleteApiKey(session: SqlSession, keyId: string): Promise<boolean> {
  return (await session.query("DELETE FROM api_keys WHERE key_id = $1 RETURNING key_id", [keyId])).length > 0;
}

export async function revokeToken(session: SqlSession, { tokenId, expiresAtMs }: TokenRevocation): Promise<void> {
  // A token that has expired is refused anyway, so the table holds only tokens that were revoked within the longest life of a token.
  await session.query("DELETE FROM revoked_tokens WHERE expires_at_ms < $1", [await session.nowMs()]);
  await session.query(
    "INSERT INTO revoked_tokens (token_id, expires_at_ms) VALUES ($1, $2) ON CONFLICT (token_id) DO NOTHING",
    [tokenId, expiresAtMs],
  );
}

export async function isTokenRevoked(session: SqlSession, tokenId: string): Promise<boolean> {
  return (await session.query("SELECT 1 AS revoked FROM revoked_tokens WHERE token_id = $1", [tokenId])).length > 0;
}
