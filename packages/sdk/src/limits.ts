/**
 * Every bound of the system, with its reason. `docs/limits.md` is generated from {@link LIMITS}.
 *
 * Byte offsets and totals are `number` in memory (safe up to 2^53 - 1 bytes, 8 PiB) and 64-bit integers on the wire; a decoder that
 * meets a larger value throws INVALID_ARGUMENT.
 */

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;
export const TIB = 1024 * GIB;

/** One limit as documented. */
export interface Limit {
  readonly value: number;
  readonly unit: "bytes" | "ms" | "count";
  readonly reason: string;
}

const limit = (value: number, unit: Limit["unit"], reason: string): Limit => Object.freeze({ value, unit, reason });

/** All limits and defaults by name. */
export const LIMITS = Object.freeze({
  CHUNK_DEFAULT_BYTES: limit(4 * MIB, "bytes", "chosen by measuring 1, 4, 8 and 16 MiB; see docs/decisions"),
  CHUNK_MIN_BYTES: limit(64 * KIB, "bytes", "smaller chunks cost more in rows than in bytes; one checksum block"),
  CHUNK_MAX_BYTES: limit(GIB, "bytes", "the largest message a node may be configured to take"),
  CHUNK_MAX_BYTES_DEFAULT: limit(
    64 * MIB,
    "bytes",
    "what a node takes unless configured otherwise; bounds its memory per request",
  ),
  FRAME_DEFAULT_BYTES: limit(
    64 * KIB,
    "bytes",
    "frame of a streaming RPC: small enough for every client's receive limit",
  ),
  FRAME_MAX_BYTES: limit(MIB, "bytes", "larger frames stop paying and stall other streams of the connection"),
  CONTROL_MESSAGE_MAX_BYTES: limit(
    16 * MIB,
    "bytes",
    "a control RPC never needs more: 1,000 listing rows or 100,000 chunk references fit",
  ),
  INLINE_MAX_BYTES: limit(
    32 * KIB,
    "bytes",
    "objects up to here live in their metadata row: one durable commit and no chunk",
  ),
  CHECKSUM_BLOCK_BYTES: limit(64 * KIB, "bytes", "unit of the CRC32 that makes ranged reads checkable"),
  OBJECT_MAX_BYTES: limit(50 * TIB, "bytes", "S3's object limit; far below 2^53"),
  KEY_MAX_BYTES: limit(1024, "bytes", "S3's key limit, in UTF-8 bytes"),
  BUCKET_NAME_MIN: limit(3, "count", "S3's bucket naming rule"),
  BUCKET_NAME_MAX: limit(63, "count", "S3's bucket naming rule: a DNS label"),
  METADATA_MAX_BYTES: limit(8 * KIB, "bytes", "names and values of user metadata together; fits HTTP header limits"),
  LIST_LIMIT_DEFAULT: limit(1000, "count", "S3's page size"),
  LIST_LIMIT_MAX: limit(1000, "count", "S3's page size; a page costs < 6 ms"),
  DELETE_MANY_MAX: limit(1000, "count", "S3's DeleteObjects limit"),
  PART_NUMBER_MAX: limit(1_000_000, "count", "parts of one upload; the S3 face allows 10,000"),
  REPLICATION_FACTOR_MAX: limit(16, "count", "more copies protect against nothing that 16 do not"),
  VIRTUAL_NODES_PER_SERVER: limit(150, "count", "ring tokens per server at weight 1; existing deployments use 150"),
  PARTITION_COUNT: limit(
    4096,
    "count",
    "slices of the token space that are placed as one; keeps the fullest server within 1.05 of the mean",
  ),
  SERVERS_MAX: limit(256, "count", "servers of one layout; keeps a layout under 1 MiB on the wire"),
  CONCURRENCY_DEFAULT: limit(
    4,
    "count",
    "chunks in flight per transfer; more adds memory, not speed, on loopback and LAN",
  ),
  CONCURRENCY_MAX: limit(64, "count", "bounds the memory of one transfer"),
  CHUNK_ATTEMPTS: limit(6, "count", "tries per chunk and replica before the error reaches the caller"),
  RETRY_BASE_MS: limit(100, "ms", "first backoff, full jitter"),
  RETRY_MAX_MS: limit(5000, "ms", "longest backoff, full jitter"),
  HEDGE_AFTER_MS: limit(500, "ms", "a read slower than this also asks the next replica"),
  CLAIM_TTL_MS: limit(24 * 3600 * 1000, "ms", "an upload may last a day before its chunks can be collected"),
  GRANT_TTL_MS: limit(15 * 60 * 1000, "ms", "life of a signed grant; the client renews it during long uploads"),
  UPLOAD_TTL_MS: limit(
    7 * 24 * 3600 * 1000,
    "ms",
    "an unfinished multipart upload is aborted by the collector after a week",
  ),
  COLLECT_GRACE_MS: limit(3600 * 1000, "ms", "an unreferenced chunk row waits this long before collection"),
  COLLECT_INTERVAL_MS: limit(10 * 60 * 1000, "ms", "how often a server runs the collector"),
  HEARTBEAT_INTERVAL_MS: limit(10_000, "ms", "how often a node tells that it is alive"),
  HEARTBEAT_MISSED_MAX: limit(3, "count", "missed heartbeats after which a node is seen as down"),
  SHUTDOWN_GRACE_MS: limit(10_000, "ms", "running requests may finish this long after a stop signal"),
  REQUESTS_IN_FLIGHT_MAX: limit(1024, "count", "requests a server works on at once before it answers OVERLOADED"),
} as const satisfies Record<string, Limit>);
