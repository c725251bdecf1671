import type { LIMITS } from "./limits.ts";

/** What a limit counts and why it is what it is. */
export interface LimitDoc {
  readonly unit: "bytes" | "ms" | "count";
  readonly reason: string;
}

/** Unit and reason of every limit, in the order of {@link LIMITS}; shown in docs/limits.md. Apart from the values, so that no browser loads it. */
export const LIMIT_DOCS: Readonly<Record<keyof typeof LIMITS, LimitDoc>> = {
  CHUNK_DEFAULT_BYTES: { unit: "bytes", reason: "chosen by measuring 1, 4, 8 and 16 MiB; see docs/decisions" },
  CHUNK_MIN_BYTES: { unit: "bytes", reason: "smaller chunks cost more in rows than in bytes; one checksum block" },
  CHUNK_MAX_BYTES: { unit: "bytes", reason: "the largest message a node may be configured to take" },
  CHUNK_MAX_BYTES_DEFAULT: {
    unit: "bytes",
    reason: "what a node takes unless configured otherwise; bounds its memory per request",
  },
  FRAME_DEFAULT_BYTES: {
    unit: "bytes",
    reason: "frame of a streaming RPC: small enough for every client's receive limit",
  },
  FRAME_MAX_BYTES: { unit: "bytes", reason: "larger frames gain nothing and stall other streams of the connection" },
  CONTROL_MESSAGE_MAX_BYTES: {
    unit: "bytes",
    reason: "a control RPC never needs more: 1,000 listing rows or 100,000 chunk references fit",
  },
  INLINE_MAX_BYTES: {
    unit: "bytes",
    reason: "objects up to here live in their metadata row: one durable commit and no chunk",
  },
  CHECKSUM_BLOCK_BYTES: { unit: "bytes", reason: "unit of the CRC32 that makes ranged reads checkable" },
  OBJECT_MAX_BYTES: { unit: "bytes", reason: "S3's object limit; far below 2^53" },
  KEY_MAX_BYTES: { unit: "bytes", reason: "S3's key limit, in UTF-8 bytes" },
  BUCKET_NAME_MIN: { unit: "count", reason: "S3's bucket naming rule" },
  BUCKET_NAME_MAX: { unit: "count", reason: "S3's bucket naming rule: a DNS label" },
  METADATA_MAX_BYTES: { unit: "bytes", reason: "names and values of user metadata together; fits HTTP header limits" },
  COMMIT_CHUNKS_MAX: {
    unit: "count",
    reason:
      "chunks of one write or part through a gateway: 64 GiB in default chunks, 1 TiB in chunks of 64 MiB, and 50 TiB in parts. A longer list stalls the process that decodes it",
  },
  METADATA_ENTRIES_MAX: {
    unit: "count",
    reason:
      "entries of user metadata; the overhead of more entries would not fit into the 16 KiB of headers that clients take",
  },
  HEADER_FIELDS_MAX_BYTES: {
    unit: "bytes",
    reason: "content-type, cache-control and the like together; fits with the metadata into 16 KiB of headers",
  },
  LIST_LIMIT_DEFAULT: { unit: "count", reason: "S3's page size" },
  LIST_LIMIT_MAX: { unit: "count", reason: "S3's page size; a page costs < 6 ms" },
  DELETE_MANY_MAX: { unit: "count", reason: "S3's DeleteObjects limit" },
  PART_NUMBER_MAX: { unit: "count", reason: "parts of one upload" },
  REPLICATION_FACTOR_MAX: { unit: "count", reason: "more than 16 copies add no protection" },
  VIRTUAL_NODES_PER_NODE: {
    unit: "count",
    reason: "ring tokens per node at weight 1; existing deployments use 150",
  },
  PARTITION_COUNT: {
    unit: "count",
    reason:
      "slices of the token space that are placed as one in placement format 1; keeps the fullest node within 1.05 of the mean",
  },
  PARTITION_COUNT_LARGE: {
    unit: "count",
    reason: "the same in placement format 2; a change of 100 nodes then moves little more than its share",
  },
  PLACEMENT_FORMAT_NEWEST: { unit: "count", reason: "the placement format of new clusters; 1 is placed as ever" },
  NODES_MAX: { unit: "count", reason: "nodes of one layout; keeps a layout under 1 MiB on the wire" },
  CONCURRENCY_DEFAULT: {
    unit: "count",
    reason: "chunks in flight per transfer; more adds memory, not speed, on loopback and LAN",
  },
  CONCURRENCY_MAX: { unit: "count", reason: "bounds the memory of one transfer" },
  CHUNK_ATTEMPTS: { unit: "count", reason: "tries of a chunk whose bytes arrive damaged; more would not help" },
  RETRY_FOR_MS: { unit: "ms", reason: "how long a call is tried again; a server restarts within this time" },
  RETRY_BASE_MS: { unit: "ms", reason: "first backoff, full jitter" },
  RETRY_MAX_MS: { unit: "ms", reason: "longest backoff, full jitter; a server that is back is noticed soon" },
  OPERATION_KEPT_MS: {
    unit: "ms",
    reason:
      "how long the result of a write is kept under its operation id; a client that has not tried again by then never does",
  },
  HEDGE_AFTER_MS: { unit: "ms", reason: "a read slower than this also asks the next replica" },
  PEER_PROBE_AFTER_MS: {
    unit: "ms",
    reason:
      "a server or database that owes an answer and moves no byte for this long gets a small question on another connection, which every process that runs answers at once",
  },
  PEER_STALLED_AFTER_MS: {
    unit: "ms",
    reason:
      "if it moves no byte for this long and answers no such question either, it hangs: the calls that wait for it end. Ten seconds for the question are enough for a full uplink and a new TLS connection",
  },
  ANSWER_SILENCE_MAX_MS: {
    unit: "ms",
    reason:
      "a server that answers others may work on one call this long without a byte of its answer; a connection that only this end still knows ends then, too",
  },
  VIEW_WAIT_MS: {
    unit: "ms",
    reason:
      "how long calls wait for a renewal of the cluster's view before they go on with the last one: where chunks lie does not depend on the registry",
  },
  RECENT_LAYOUTS_MAX: {
    unit: "count",
    reason:
      "changes of the layout during one upload straight to the nodes; a table of 1,000 nodes takes a second to compute, and 384 KiB",
  },
  STAND_INS_MAX: {
    unit: "count",
    reason:
      "nodes that may take a copy of a chunk in place of those of its placement, and are asked when these have it not; with half of all nodes away, one chunk in 65,000 finds none of them up",
  },
  CLAIM_TTL_MS: {
    unit: "ms",
    reason: "chunks are kept this long for the commit of their upload; the upload may take 23 of the 24 hours",
  },
  WORK_LEASE_MAX_MS: {
    unit: "ms",
    reason: "background work that its worker died with waits at most this long for another worker",
  },
  REPAIR_CLAIM_MAX: {
    unit: "count",
    reason: "missing copies that one worker claims at once: a transaction of some ms",
  },
  REPAIR_FAILING_ATTEMPTS: {
    unit: "count",
    reason: "a missing copy that could not be restored so often is told to operators by its name",
  },
  GRANT_TTL_MS: { unit: "ms", reason: "life of a signed grant; the client renews it during long uploads" },
  ACCESS_TOKEN_TTL_MS: {
    unit: "ms",
    reason: "life of an access token; the page asks for another one, so a stolen token is soon worth nothing",
  },
  ACCESS_TOKEN_TTL_MIN_MS: { unit: "ms", reason: "shorter tokens would expire on their way to the page" },
  ACCESS_TOKEN_TTL_MAX_MS: { unit: "ms", reason: "a working day; who needs longer uses an API key or asks again" },
  UPLOAD_TTL_MS: { unit: "ms", reason: "an unfinished multipart upload is aborted by the collector after a week" },
  COLLECT_GRACE_MS: { unit: "ms", reason: "an unreferenced chunk row waits this long before collection" },
  COLLECT_INTERVAL_MS: { unit: "ms", reason: "how often a server runs the collector" },
  RE_REPLICATE_AFTER_MS: {
    unit: "ms",
    reason:
      "a node that is away for longer is left out of the layout, and its copies are made on others: a restart takes less",
  },
  SCRUB_PERIOD_MS: {
    unit: "ms",
    reason:
      "how often each chunk file is read and checked: a month, as disks and file systems are scrubbed; shorter than the time in which a second copy is likely to rot",
  },
  SCRUB_BYTES_PER_SECOND: {
    unit: "bytes",
    reason:
      "most bytes that these checks read in a second: a fifth of what a spinning disk reads in a row, and 80 TB in a period. A store with less is read more slowly",
  },
  DAMAGED_TOLD_MAX: {
    unit: "count",
    reason:
      "copies that one heartbeat tells as damaged: a message of 8 KiB and a transaction of some ms; more go with the next ones",
  },
  HEARTBEAT_INTERVAL_MS: { unit: "ms", reason: "how often a node reports that it is alive" },
  HEARTBEAT_MISSED_MAX: { unit: "count", reason: "missed heartbeats after which a node is seen as down" },
  SHUTDOWN_GRACE_MS: { unit: "ms", reason: "running requests may finish this long after a stop signal" },
  REQUESTS_IN_FLIGHT_MAX: {
    unit: "count",
    reason:
      "requests of one API key that a server works on at once (a quarter more in all) before it answers OVERLOADED",
  },
};
