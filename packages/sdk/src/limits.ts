/**
 * Every bound of the system. Its unit and reason stand in `limit-docs.ts`, from which `docs/limits.md` is generated.
 *
 * Byte offsets and totals are `number` in memory (safe up to 2^53 - 1 bytes, 8 PiB) and 64-bit integers on the wire; a decoder that
 * meets a larger value throws INVALID_ARGUMENT.
 */

/** 2^10 bytes. */
export const KIB = 1024;
/** 2^20 bytes. */
export const MIB = 1024 * KIB;
/** 2^30 bytes. */
export const GIB = 1024 * MIB;
/** 2^40 bytes. */
export const TIB = 1024 * GIB;

/** One limit. What it is for stands in `limit-docs.ts`, so that no page loads prose. */
export interface Limit {
  readonly value: number;
}

const limit = (value: number): Limit => Object.freeze({ value });

/** All limits and defaults by name. */
export const LIMITS = Object.freeze({
  CHUNK_DEFAULT_BYTES: limit(4 * MIB),
  CHUNK_MIN_BYTES: limit(64 * KIB),
  CHUNK_MAX_BYTES: limit(GIB),
  CHUNK_MAX_BYTES_DEFAULT: limit(64 * MIB),
  FRAME_DEFAULT_BYTES: limit(64 * KIB),
  FRAME_MAX_BYTES: limit(MIB),
  CONTROL_MESSAGE_MAX_BYTES: limit(16 * MIB),
  INLINE_MAX_BYTES: limit(32 * KIB),
  CHECKSUM_BLOCK_BYTES: limit(64 * KIB),
  OBJECT_MAX_BYTES: limit(50 * TIB),
  KEY_MAX_BYTES: limit(1024),
  BUCKET_NAME_MIN: limit(3),
  BUCKET_NAME_MAX: limit(63),
  METADATA_MAX_BYTES: limit(8 * KIB),
  COMMIT_CHUNKS_MAX: limit(16_384),
  METADATA_ENTRIES_MAX: limit(512),
  HEADER_FIELDS_MAX_BYTES: limit(2 * KIB),
  LIST_LIMIT_DEFAULT: limit(1000),
  LIST_LIMIT_MAX: limit(1000),
  DELETE_MANY_MAX: limit(1000),
  PART_NUMBER_MAX: limit(1_000_000),
  REPLICATION_FACTOR_MAX: limit(16),
  VIRTUAL_NODES_PER_SERVER: limit(150),
  PARTITION_COUNT: limit(4096),
  SERVERS_MAX: limit(256),
  CONCURRENCY_DEFAULT: limit(4),
  CONCURRENCY_MAX: limit(64),
  CHUNK_ATTEMPTS: limit(6),
  RETRY_FOR_MS: limit(30_000),
  RETRY_BASE_MS: limit(100),
  RETRY_MAX_MS: limit(2000),
  OPERATION_KEPT_MS: limit(24 * 3600 * 1000),
  HEDGE_AFTER_MS: limit(500),
  CLAIM_TTL_MS: limit(24 * 3600 * 1000),
  RECENT_LAYOUTS_MAX: limit(64),
  GRANT_TTL_MS: limit(15 * 60 * 1000),
  ACCESS_TOKEN_TTL_MS: limit(15 * 60 * 1000),
  ACCESS_TOKEN_TTL_MIN_MS: limit(1000),
  ACCESS_TOKEN_TTL_MAX_MS: limit(12 * 3600 * 1000),
  UPLOAD_TTL_MS: limit(7 * 24 * 3600 * 1000),
  COLLECT_GRACE_MS: limit(3600 * 1000),
  COLLECT_INTERVAL_MS: limit(10 * 60 * 1000),
  HEARTBEAT_INTERVAL_MS: limit(10_000),
  HEARTBEAT_MISSED_MAX: limit(3),
  SHUTDOWN_GRACE_MS: limit(10_000),
  REQUESTS_IN_FLIGHT_MAX: limit(1024),
} as const satisfies Record<string, Limit>);
