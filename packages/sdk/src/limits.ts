/**
 * Every bound of the system. Units and reasons are in `limit-docs.ts`, so that no page loads prose; `docs/limits.md` is generated from that file.
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

const values = {
  CHUNK_DEFAULT_BYTES: 4 * MIB,
  CHUNK_MIN_BYTES: 64 * KIB,
  CHUNK_MAX_BYTES: GIB,
  CHUNK_MAX_BYTES_DEFAULT: 64 * MIB,
  FRAME_DEFAULT_BYTES: 64 * KIB,
  FRAME_MAX_BYTES: MIB,
  CONTROL_MESSAGE_MAX_BYTES: 16 * MIB,
  INLINE_MAX_BYTES: 32 * KIB,
  CHECKSUM_BLOCK_BYTES: 64 * KIB,
  OBJECT_MAX_BYTES: 50 * TIB,
  KEY_MAX_BYTES: 1024,
  BUCKET_NAME_MIN: 3,
  BUCKET_NAME_MAX: 63,
  METADATA_MAX_BYTES: 8 * KIB,
  COMMIT_CHUNKS_MAX: 16_384,
  METADATA_ENTRIES_MAX: 512,
  HEADER_FIELDS_MAX_BYTES: 2 * KIB,
  LIST_LIMIT_DEFAULT: 1000,
  LIST_LIMIT_MAX: 1000,
  DELETE_MANY_MAX: 1000,
  PART_NUMBER_MAX: 1_000_000,
  REPLICATION_FACTOR_MAX: 16,
  VIRTUAL_NODES_PER_NODE: 150,
  PARTITION_COUNT: 4096,
  NODES_MAX: 256,
  CONCURRENCY_DEFAULT: 4,
  CONCURRENCY_MAX: 64,
  CHUNK_ATTEMPTS: 6,
  RETRY_FOR_MS: 30_000,
  RETRY_BASE_MS: 100,
  RETRY_MAX_MS: 2000,
  OPERATION_KEPT_MS: 24 * 3600 * 1000,
  HEDGE_AFTER_MS: 500,
  PEER_PROBE_AFTER_MS: 5000,
  PEER_STALLED_AFTER_MS: 15_000,
  ANSWER_SILENCE_MAX_MS: 300_000,
  VIEW_WAIT_MS: 5000,
  CLAIM_TTL_MS: 24 * 3600 * 1000,
  RECENT_LAYOUTS_MAX: 64,
  GRANT_TTL_MS: 15 * 60 * 1000,
  ACCESS_TOKEN_TTL_MS: 15 * 60 * 1000,
  ACCESS_TOKEN_TTL_MIN_MS: 1000,
  ACCESS_TOKEN_TTL_MAX_MS: 12 * 3600 * 1000,
  UPLOAD_TTL_MS: 7 * 24 * 3600 * 1000,
  COLLECT_GRACE_MS: 3600 * 1000,
  COLLECT_INTERVAL_MS: 10 * 60 * 1000,
  HEARTBEAT_INTERVAL_MS: 10_000,
  HEARTBEAT_MISSED_MAX: 3,
  SHUTDOWN_GRACE_MS: 10_000,
  REQUESTS_IN_FLIGHT_MAX: 1024,
};

/** All limits and defaults by name. */
export const LIMITS: Readonly<typeof values> = Object.freeze(values);
