import { AshlarError } from "@ashlar/sdk/errors";
import { digestFromBytes } from "@ashlar/sdk/hash";
import type { ApiKeyRecord, ApiKeyRole } from "@ashlar/sdk/ports";
import type { SqlSession } from "./sql-session.ts";

interface KeyRow {
  readonly key_id: string;
  readonly name: string;
  readonly role: string;
  readonly secret_sha256: Uint8Array;
  readonly created_at_ms: number;
}

const KEY_COLUMNS = "key_id, name, role, secret_sha256, created_at_ms";

function recordOf(row: KeyRow): ApiKeyRecord {
  return {
    keyId: row.key_id,
    name: row.name,
    role: row.role as ApiKeyRole,
    secretSha256: digestFromBytes(row.secret_sha256),
    createdAtMs: row.created_at_ms,
  };
}

export async function createApiKey(
  session: SqlSession,
  record: Omit<ApiKeyRecord, "createdAtMs">,
): Promise<ApiKeyRecord> {
  const { keyId, name, role, secretSha256 } = record;
  const [row] = await session.query<KeyRow>(
    `INSERT INTO api_keys (${KEY_COLUMNS}) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key_id) DO NOTHING RETURNING ${KEY_COLUMNS}`,
    [keyId, name, role, secretSha256, await session.nowMs()],
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
