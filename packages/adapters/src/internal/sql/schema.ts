import type { SqlDialect } from "./sql-dialect.ts";

/** One step of the schema. Steps are never changed once released: a new step follows. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  statements(dialect: SqlDialect): readonly string[];
}

/**
 * All steps, oldest first. Table names `storage_servers`, `hash_ring_nodes` and `chunks` are those that existing deployments use.
 * Times are ms since the Unix epoch; JSON is text, because it is only ever read whole.
 */
export const MIGRATIONS: readonly Migration[] = Object.freeze([
  {
    version: 1,
    name: "first schema",
    statements: (dialect: SqlDialect): readonly string[] => [
      ...objectTables(dialect),
      ...manifestTables(dialect),
      ...chunkTables(dialect),
      ...clusterTables(dialect),
    ],
  },
  {
    version: 2,
    name: "requests of finished operations",
    // Digest of the request, so that an operation id is good for one request only. Older rows have none, and no caller knows their ids.
    statements: ({ types: { text } }: SqlDialect): readonly string[] => [
      `ALTER TABLE finished_operations ADD COLUMN fingerprint ${text}`,
    ],
  },
  {
    version: 3,
    name: "identity of the database",
    statements: identityTable,
  },
  {
    version: 4,
    name: "API keys with a scope and an end, revoked tokens",
    statements: credentialTables,
  },
  // 5 and 6 were never used.
  {
    version: 7,
    name: "objects by manifest",
    // Before a manifest is dropped, the objects are searched for its id: a count is not trusted.
    statements: (): readonly string[] => [
      "CREATE INDEX objects_by_manifest ON objects (manifest_id) WHERE manifest_id IS NOT NULL",
    ],
  },
  {
    version: 8,
    name: "sealed secrets of API keys",
    statements: ({ types: { bytes } }: SqlDialect): readonly string[] => [
      `ALTER TABLE api_keys ADD COLUMN sealed_secret ${bytes}`,
    ],
  },
  {
    version: 9,
    name: "folders of nodes, lost disks",
    statements: lostDiskColumns,
  },
  {
    version: 10,
    name: "leases of background work",
    statements: workLeases,
  },
  {
    version: 11,
    name: "nodes that are left out of the layout while they are away",
    statements: ({ types: { boolean } }: SqlDialect): readonly string[] => [
      `ALTER TABLE storage_servers ADD COLUMN left_out ${boolean} NOT NULL DEFAULT FALSE`,
    ],
  },
  {
    version: 12,
    name: "nodes that stand in for others",
    // Who holds the copy until it is where it belongs; null if nobody does.
    statements: ({ types: { text } }: SqlDialect): readonly string[] => [
      `ALTER TABLE repair_queue ADD COLUMN stand_in_id ${text}`,
    ],
  },
]);

/**
 * folder_id: what the node told at its last registration. lost_*: null unless the node registered without what it held before, and not all of it is
 * restored. lost_cursor: the last chunk id in hex that was walked over to queue repairs; null when the walk is done.
 */
function lostDiskColumns({ types }: SqlDialect): string[] {
  const { text, integer } = types;
  return [
    `ALTER TABLE storage_servers ADD COLUMN folder_id ${text}`,
    `ALTER TABLE storage_servers ADD COLUMN lost_at_ms ${integer}`,
    `ALTER TABLE storage_servers ADD COLUMN lost_kind ${text}`,
    `ALTER TABLE storage_servers ADD COLUMN lost_chunk_count ${integer}`,
    `ALTER TABLE storage_servers ADD COLUMN lost_bytes_used ${integer}`,
    `ALTER TABLE storage_servers ADD COLUMN lost_cursor ${text}`,
    "CREATE INDEX repair_queue_by_node ON repair_queue (server_id, repair_id)",
  ];
}

/**
 * due_at_ms: when a worker may claim it, or the end of the lease of the one that did. Servers of an earlier release name none of these columns, and
 * go on beside newer ones.
 */
function workLeases({ types }: SqlDialect): string[] {
  const { text, integer } = types;
  return [
    `ALTER TABLE repair_queue ADD COLUMN due_at_ms ${integer} NOT NULL DEFAULT 0`,
    `ALTER TABLE repair_queue ADD COLUMN lease_token ${text}`,
    `ALTER TABLE repair_queue ADD COLUMN attempts ${integer} NOT NULL DEFAULT 0`,
    `ALTER TABLE repair_queue ADD COLUMN last_error ${text}`,
    "CREATE INDEX repair_queue_due ON repair_queue (server_id, due_at_ms, repair_id)",
    `CREATE TABLE jobs (
      job ${text} PRIMARY KEY,
      due_at_ms ${integer} NOT NULL,
      lease_token ${text},
      attempts ${integer} NOT NULL,
      last_error ${text}
    )`,
  ];
}

/** One row. accepted_at_ms: when the database was made, or an operator last let it take the place of another. */
function identityTable({ types, randomId }: SqlDialect): string[] {
  const { text, integer, boolean } = types;
  return [
    `CREATE TABLE database_identity (
      id ${integer} PRIMARY KEY CHECK (id = 1),
      database_id ${text} NOT NULL,
      epoch ${integer} NOT NULL,
      takes_over ${boolean} NOT NULL,
      accepted_at_ms ${integer} NOT NULL
    )`,
    `INSERT INTO database_identity (id, database_id, epoch, takes_over, accepted_at_ms)
      SELECT 1, ${randomId}, 0, FALSE, min(applied_at_ms) FROM schema_migrations`,
  ];
}

function objectTables({ types }: SqlDialect): string[] {
  const { text, bytes, integer, boolean } = types;
  return [
    `CREATE TABLE buckets (bucket ${text} PRIMARY KEY, created_at_ms ${integer} NOT NULL)`,
    // No foreign key to the bucket: its check would lock the bucket's row for every write into it. lockBucket does the same without a row.
    // One row per object version. Only the latest is kept today. inline_data stands last, so that listings never read over it.
    `CREATE TABLE objects (
      bucket ${text} NOT NULL,
      key ${bytes} NOT NULL,
      object_version ${text} NOT NULL,
      is_latest ${boolean} NOT NULL,
      is_delete_marker ${boolean} NOT NULL,
      size_bytes ${integer} NOT NULL,
      etag ${text} NOT NULL,
      sha256 ${text},
      created_at_ms ${integer} NOT NULL,
      durability ${text} NOT NULL,
      manifest_id ${text},
      attributes ${text} NOT NULL,
      inline_data ${bytes},
      PRIMARY KEY (bucket, key, object_version)
    )`,
    "CREATE UNIQUE INDEX objects_latest ON objects (bucket, key) WHERE is_latest",
    `CREATE TABLE uploads (
      upload_id ${text} PRIMARY KEY,
      bucket ${text} NOT NULL,
      key ${bytes} NOT NULL,
      attributes ${text} NOT NULL,
      durability ${text} NOT NULL,
      created_at_ms ${integer} NOT NULL
    )`,
    "CREATE UNIQUE INDEX uploads_by_key ON uploads (bucket, key, upload_id)",
    "CREATE INDEX uploads_by_age ON uploads (created_at_ms)",
  ];
}

function manifestTables({ types }: SqlDialect): string[] {
  const { text, bytes, integer } = types;
  return [
    // state: open (an upload), sealed (readable), dropping (its segments are being deleted).
    `CREATE TABLE manifests (
      manifest_id ${text} PRIMARY KEY,
      state ${text} NOT NULL,
      reference_count ${integer} NOT NULL CHECK (reference_count >= 0),
      size_bytes ${integer} NOT NULL,
      created_at_ms ${integer} NOT NULL,
      released_at_ms ${integer}
    )`,
    "CREATE INDEX manifests_released ON manifests (released_at_ms) WHERE released_at_ms IS NOT NULL",
    // start_offset: in the object; null until the upload is complete. released_at_ms: replaced, or not chosen.
    `CREATE TABLE manifest_parts (
      part_id ${text} PRIMARY KEY,
      manifest_id ${text} NOT NULL,
      part_number ${integer} NOT NULL,
      start_offset ${integer},
      size_bytes ${integer} NOT NULL,
      chunk_count ${integer} NOT NULL,
      etag ${text} NOT NULL,
      sha256 ${text},
      created_at_ms ${integer} NOT NULL,
      released_at_ms ${integer}
    )`,
    "CREATE UNIQUE INDEX manifest_parts_by_number ON manifest_parts (manifest_id, part_number) WHERE released_at_ms IS NULL",
    "CREATE INDEX manifest_parts_by_offset ON manifest_parts (manifest_id, start_offset)",
    "CREATE INDEX manifest_parts_released ON manifest_parts (released_at_ms) WHERE released_at_ms IS NOT NULL",
    // start_offset: in the part, so that completing an upload rewrites no segment. data: see the segment codec.
    `CREATE TABLE manifest_segments (
      part_id ${text} NOT NULL,
      start_offset ${integer} NOT NULL,
      size_bytes ${integer} NOT NULL,
      chunk_count ${integer} NOT NULL,
      data ${bytes} NOT NULL,
      PRIMARY KEY (part_id, start_offset)
    )`,
  ];
}

function chunkTables({ types }: SqlDialect): string[] {
  const { text, bytes, integer } = types;
  return [
    // A chunk that a part names k times counts k references. idle_since_ms: when the last one was removed, or when it was marked collecting.
    `CREATE TABLE chunks (
      chunk_id ${bytes} PRIMARY KEY,
      size_bytes ${integer} NOT NULL,
      reference_count ${integer} NOT NULL CHECK (reference_count >= 0),
      state ${text} NOT NULL,
      layout_version ${integer} NOT NULL,
      idle_since_ms ${integer}
    )`,
    "CREATE INDEX chunks_idle ON chunks (idle_since_ms) WHERE reference_count = 0",
    "CREATE INDEX chunks_by_layout ON chunks (layout_version)",
    `CREATE TABLE repair_queue (
      chunk_id ${bytes} NOT NULL,
      server_id ${text} NOT NULL,
      repair_id ${text} NOT NULL UNIQUE,
      size_bytes ${integer} NOT NULL,
      layout_version ${integer} NOT NULL,
      created_at_ms ${integer} NOT NULL,
      PRIMARY KEY (chunk_id, server_id)
    )`,
    "CREATE INDEX repair_queue_by_age ON repair_queue (created_at_ms, repair_id)",
  ];
}

function clusterTables({ types }: SqlDialect): string[] {
  const { text, bytes, integer, real, boolean } = types;
  return [
    `CREATE TABLE storage_servers (
      server_id ${text} PRIMARY KEY,
      url ${text} NOT NULL,
      zone ${text},
      weight ${real} NOT NULL,
      software_version ${text} NOT NULL,
      stopped ${boolean} NOT NULL,
      removed_from_layout ${boolean} NOT NULL,
      registered_at_ms ${integer} NOT NULL,
      last_heartbeat_at_ms ${integer} NOT NULL,
      chunk_count ${integer},
      bytes_used ${integer},
      bytes_free ${integer},
      bytes_total ${integer}
    )`,
    // token: 8 bytes, big-endian, so that the order of the bytes is the order of the ring.
    `CREATE TABLE hash_ring_nodes (
      server_id ${text} NOT NULL REFERENCES storage_servers (server_id),
      virtual_node_index ${integer} NOT NULL,
      token ${bytes} NOT NULL,
      PRIMARY KEY (server_id, virtual_node_index)
    )`,
    `CREATE TABLE layouts (
      layout_version ${integer} PRIMARY KEY,
      format_version ${integer} NOT NULL,
      body ${text} NOT NULL,
      created_at_ms ${integer} NOT NULL
    )`,
    `CREATE TABLE api_keys (
      key_id ${text} PRIMARY KEY,
      name ${text} NOT NULL,
      role ${text} NOT NULL,
      secret_sha256 ${bytes} NOT NULL,
      created_at_ms ${integer} NOT NULL
    )`,
    // Results of recent writes by operation: a write whose answer was lost on the way is recognised when it is tried again.
    `CREATE TABLE finished_operations (
      operation_id ${text} PRIMARY KEY,
      result ${text} NOT NULL,
      finished_at_ms ${integer} NOT NULL
    )`,
    "CREATE INDEX finished_operations_by_age ON finished_operations (finished_at_ms)",
  ];
}

/** scope_prefix: null for keys that reach everything; like object keys it may hold what text columns may not. */
function credentialTables({ types }: SqlDialect): string[] {
  const { text, bytes, integer } = types;
  return [
    `ALTER TABLE api_keys ADD COLUMN scope_bucket ${text}`,
    `ALTER TABLE api_keys ADD COLUMN scope_prefix ${bytes}`,
    `ALTER TABLE api_keys ADD COLUMN expires_at_ms ${integer}`,
    `CREATE TABLE revoked_tokens (token_id ${text} PRIMARY KEY, expires_at_ms ${integer} NOT NULL)`,
    "CREATE INDEX revoked_tokens_by_end ON revoked_tokens (expires_at_ms)",
  ];
}
