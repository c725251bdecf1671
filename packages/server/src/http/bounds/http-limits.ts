import type { LimitDoc } from "@ashlar/sdk/docs";
import { KIB, MIB } from "@ashlar/sdk/limits";

/** A limit with its documentation. The SDK keeps them apart, for browsers; a server can load both. */
type DocumentedLimit = LimitDoc & { readonly value: number };

const limit = (value: number, unit: LimitDoc["unit"], reason: string): DocumentedLimit =>
  Object.freeze({ value, unit, reason });

/**
 * Bounds of servers alone, by name: of connections and requests, of the messages that they take, and of the work that a gateway does for them.
 * `LIMITS` of the SDK has those that clients share.
 */
export const HTTP_LIMITS = Object.freeze({
  HEADER_MAX_BYTES: limit(
    64 * KIB,
    "bytes",
    "8 KiB of user metadata, percent-encoded, and grants fit three times over",
  ),
  HEADER_COUNT_MAX: limit(
    640,
    "count",
    "header fields of a request, and of its trailers: METADATA_ENTRIES_MAX of metadata and 128 of everything else. One more is 431, over HTTP/2 a reset with ENHANCE_YOUR_CALM: each costs a microsecond before a key is checked",
  ),
  RANGE_MAX_BYTES: limit(
    KIB,
    "bytes",
    "longest `Range` header that is read: one range fits, with any spacing. Longer ones are answered with the whole body, as several ranges are",
  ),
  HEADERS_TIMEOUT_MS: limit(
    15_000,
    "ms",
    "a client that sends its first bytes or its headers more slowly is cut off (slow loris)",
  ),
  IDLE_TIMEOUT_MS: limit(
    120_000,
    "ms",
    "a connection on which no byte moves, or no request runs, for this long is closed, whatever else is open on it",
  ),
  PROGRESS_MIN_BYTES_PER_SECOND: limit(
    256,
    "bytes",
    "per second of waiting for a client that sends a body or takes an answer; an eighth of the slowest phone network, and too fast to hold slots for free",
  ),
  CROWDED_BYTES_PER_SECOND: limit(
    16 * KIB,
    "bytes",
    "what PROGRESS_MIN_BYTES_PER_SECOND rises to for bodies as slots or bytes fill up: it doubles with each sixteenth above one half",
  ),
  CROWDED_WINDOW_MS: limit(
    5000,
    "ms",
    "what PROGRESS_WINDOW_MS shrinks to meanwhile: long enough for a lost packet to be sent again",
  ),
  PROGRESS_WINDOW_MS: limit(
    30_000,
    "ms",
    "the rate is measured over this much waiting before a key was checked, and over IDLE_TIMEOUT_MS after: a known caller may pause, an unauthenticated one may not",
  ),
  ANSWER_WINDOW_MS: limit(
    600_000,
    "ms",
    "the same for a client that takes an answer over HTTP/1.1 after the check: the kernel takes megabytes at once, and shows no movement until a third of them is read",
  ),
  PACE_CHECK_MS: limit(1000, "ms", "how often those times are looked at"),
  KEEP_ALIVE_TIMEOUT_MS: limit(65_000, "ms", "above the 60 s of common load balancers, so that they close first"),
  CONNECTIONS_MAX: limit(
    8192,
    "count",
    "sockets of one listener; more are refused at once. Fewer where the process may have few file descriptors: half of what it does not need at rest",
  ),
  CONNECTIONS_PER_ADDRESS_MAX: limit(
    2048,
    "count",
    "a quarter of them: one address cannot have all; a reverse proxy, which is one address, needs hundreds",
  ),
  PIPELINED_MAX: limit(
    32,
    "count",
    "HTTP/1.1 requests that wait for the one before them on their connection; the connection closes after the last of them",
  ),
  UNKNOWN_REQUESTS_MAX: limit(
    512,
    "count",
    "requests whose key is being checked: half of REQUESTS_IN_FLIGHT_MAX. Callers with a good key pass here too; a refused request gives its slot back at once, whether or not its answer is taken, and `/readyz` answers 503 when no slot is left",
  ),
  UNKNOWN_REQUESTS_PER_ADDRESS_MAX: limit(
    256,
    "count",
    "of those, from one address when no other wants any: as many as one HTTP/2 connection may send in a burst. Shares shrink as the pool fills",
  ),
  OPEN_CALLS_MAX: limit(
    512,
    "count",
    "calls that need no key and are answered at once (health); they have slots of their own. Above it, or above a share, the oldest that has not sent its message gives way",
  ),
  OPEN_CALLS_PER_ADDRESS_MAX: limit(128, "count", "of those, from one address when no other wants any"),
  OPEN_CALLS_PER_CONNECTION_MAX: limit(64, "count", "of those, on one connection"),
  LONG_LIVED_CALLS_MAX: limit(
    256,
    "count",
    "calls that stay open without a key (health watchers, reflection); they have slots of their own. Above it the oldest call of the address that has most ends in order",
  ),
  LONG_LIVED_CALLS_PER_ADDRESS_MAX: limit(
    32,
    "count",
    "of those, from one address when no other wants any: a load balancer watches each backend once",
  ),
  LONG_LIVED_CALLS_PER_CONNECTION_MAX: limit(8, "count", "of those, on one connection"),
  LONG_LIVED_MAX_MS: limit(
    600_000,
    "ms",
    "a call that stays open is ended after this long; watchers call again by themselves",
  ),
  ABANDONED_MS: limit(
    10_000,
    "ms",
    "a request that still runs this long after its client is gone, although it was told to stop, loses its slot",
  ),
  HSTS_MAX_AGE_MS: limit(
    2_592_000_000,
    "ms",
    "for 30 days browsers that came over TLS do not fall back to cleartext on that host name; short enough to wait for if TLS is given up",
  ),
  UNAUTHENTICATED_REQUESTS_BURST: limit(
    200,
    "count",
    "requests of one connection that come to nothing (refused, or reset before an answer) before a good key was seen on it; twice UNAUTHENTICATED_STREAMS_MAX",
  ),
  UNAUTHENTICATED_REQUESTS_PER_SECOND: limit(50, "count", "and after that per second, or the connection ends"),
  UNAUTHENTICATED_REQUESTS_PER_ADDRESS_BURST: limit(
    1000,
    "count",
    "of those, from one address: half a second of work, a whole one if each has HEADER_COUNT_MAX fields; the first request of each connection is served all the same",
  ),
  UNAUTHENTICATED_REQUESTS_PER_ADDRESS_PER_SECOND: limit(
    250,
    "count",
    "and after that per second: an eighth of a core, or a quarter if each has HEADER_COUNT_MAX fields",
  ),
  UNAUTHENTICATED_ANSWER_MS: limit(
    3000,
    "ms",
    "how long an HTTP/2 client without a key may leave an answer untaken: a refusal is one small frame",
  ),
  UNAUTHENTICATED_ANSWERS_MAX: limit(
    8192,
    "count",
    "such answers that wait to be taken, at some 20 KiB each; streams beyond are reset",
  ),
  UNAUTHENTICATED_ANSWERS_PER_ADDRESS_MAX: limit(1024, "count", "of those, from one address"),
  STREAMS_MAX: limit(256, "count", "concurrent HTTP/2 streams of a connection on which a good key was seen"),
  UNAUTHENTICATED_STREAMS_MAX: limit(
    100,
    "count",
    "and before a good key was seen: what clients open before they have read a server's settings",
  ),
  UNAUTHENTICATED_WINDOW_BYTES: limit(
    64 * KIB - 1,
    "bytes",
    "HTTP/2 window of a stream before a good key was seen on its connection: the protocol's default. Node acknowledges a connection's window on receipt, so this alone bounds what nobody reads",
  ),
  STREAM_WINDOW_BYTES: limit(
    2 * MIB,
    "bytes",
    "HTTP/2 window of a stream once a good key was seen on its connection; 64 KiB would cap it at window ÷ round trip",
  ),
  CONNECTION_WINDOW_BYTES: limit(
    16 * MIB,
    "bytes",
    "HTTP/2 window of a connection: bounds what is on its way; the windows of its streams bound what they buffer",
  ),
  SESSION_MEMORY_MAX_BYTES: limit(
    256 * MIB,
    "bytes",
    "Node ends a session with ENHANCE_YOUR_CALM above it; its default of 10 MB kills parallel 4 MiB messages",
  ),
  LINGER_MS: limit(
    2000,
    "ms",
    "what ends a connection or stream waits so long for its last bytes: a reset must not overtake an answer on its way to the client",
  ),
  STUCK_MS: limit(
    60_000,
    "ms",
    "`/healthz` answers 503 when REQUESTS_IN_FLIGHT_MAX requests run and nobody got a slot for this long: a busy server is alive, this one is not",
  ),
  UNAUTHENTICATED_LINES_BURST: limit(
    200,
    "count",
    "log lines of requests that showed no key, before they are bounded per second",
  ),
  UNAUTHENTICATED_LINES_PER_SECOND: limit(
    10,
    "count",
    "and after that per second; the rest is counted in the next line, and all are in the metrics: callers without a key cannot fill the disk",
  ),
  UNAUTHENTICATED_LINE_BYTES_BURST: limit(
    256 * KIB,
    "bytes",
    "of those lines, before they are bounded per second: UNAUTHENTICATED_LINES_BURST lines of a kilobyte",
  ),
  UNAUTHENTICATED_LINE_BYTES_PER_SECOND: limit(
    8 * KIB,
    "bytes",
    "and after that per second: UNAUTHENTICATED_LINES_PER_SECOND lines as they usually are, 0.7 GB a day at most",
  ),
  LOG_TEXT_MAX: limit(
    2 * KIB,
    "count",
    "characters of one text in a log line, before they are escaped: a path with a whole key fits, and a stack trace",
  ),
  STREAM_RESETS_BURST: limit(1000, "count", "streams of one connection that its client may reset at once"),
  STREAM_RESETS_PER_SECOND: limit(
    100,
    "count",
    "and after that per second, or the connection ends: hedged reads reset the slower of two, an attack resets thousands",
  ),
  CONTROL_FRAMES_PER_SECOND_MAX: limit(
    1000,
    "count",
    "HTTP/2 PING and SETTINGS frames of one connection, or it ends; clients that measure the link send one a round trip",
  ),
  WRITE_SLICE_BYTES: limit(
    64 * KIB,
    "bytes",
    "HTTP/2 answers are written in slices of at most this, 16 times as much over HTTP/1.1, so that a slow reader is seen to move",
  ),
  RESET_DELAY_MS: limit(
    100,
    "ms",
    "an HTTP/2 stream is reset this long after an early answer, so that its trailers go first",
  ),
  LATE_RESET_MS: limit(
    50,
    "ms",
    "how long the end of an HTTP/2 upload without a declared length or digest waits for a reset that takes it back: a client that cancels sends both at once, and only a proxy or a lost packet on the way separates them",
  ),
  OPEN_MESSAGE_MAX_BYTES: limit(
    4 * KIB,
    "bytes",
    "a message of a call that needs no key: a service name or a symbol fits, and a caller without a key cannot make the server collect or decode more",
  ),
  REQUEST_MESSAGE_MAX_BYTES: limit(
    256 * KIB,
    "bytes",
    "a request without bytes or long lists: names, 8 KiB of metadata in any escaping and 1,000 chunk ids with proofs fit; decoded in a few ms",
  ),
  DELETE_MESSAGE_MAX_BYTES: limit(8 * MIB, "bytes", "1,000 keys of 1,024 bytes, each character escaped in JSON"),
  COMMIT_MESSAGE_MAX_BYTES: limit(
    32 * MIB,
    "bytes",
    "CommitWrite and CommitPart: COMMIT_CHUNKS_MAX chunks with five receipts each",
  ),
  COMPLETE_MESSAGE_MAX_BYTES: limit(4 * MIB, "bytes", "COMPLETE_PARTS_MAX parts with their etags, in JSON too"),
  MESSAGE_FIELDS_MAX: limit(
    16_384,
    "count",
    "fields of one message, nested ones included, counted before it is decoded: the time of decoding grows with their number. The longest lists have a thousand items; each list has a bound of its own in the proto files",
  ),
  LISTS_MESSAGE_FIELDS_MAX: limit(
    160_000,
    "count",
    "the same for CommitWrite, CommitPart and CompleteUpload: COMMIT_CHUNKS_MAX chunks with five receipts each, or COMPLETE_PARTS_MAX parts with their etags",
  ),
  DECODED_AT_ONCE_MAX_BYTES: limit(
    256 * KIB,
    "bytes",
    "of a long list that are passed to the decoder in one turn of the event loop; calls with longer lists take turns, one call in each",
  ),
  MESSAGE_DEPTH_MAX: limit(32, "count", "nesting of a message, JSON or not; the deepest of ours is 5"),
  JSON_NUMBER_MAX: limit(
    128,
    "count",
    "characters of a number in JSON, which may be a text: 64 bits have 20 digits, and each may be escaped. The time of parsing one grows with the square of its length",
  ),
  FRAME_MIN_BYTES: limit(4 * KIB, "bytes", "smallest frame that a reader may ask for: each is a message of its own"),
  COMPLETE_PARTS_MAX: limit(
    50_000,
    "count",
    "parts that CompleteUpload names: 50 TiB in parts of 1 GiB; decoded and recorded in one go",
  ),
  SMALL_CHUNKS_MAX: limit(
    1024,
    "count",
    "chunks of one commit that may have any size; more have CHUNK_MIN_BYTES on average, or a manifest of one-byte chunks would cost more than its bytes",
  ),
  PAGE_MAX_BYTES: limit(
    3 * MIB,
    "bytes",
    "a page of a listing whose rows carry metadata, in addition to LIST_LIMIT_MAX: below the 4 MiB that gRPC clients take by default. 1,000 keys of 1,024 bytes without metadata fit",
  ),
  CONDITION_ETAGS_MAX: limit(
    1024,
    "count",
    "etags in one `if-match` or `if-none-match` of a write; they travel to the transaction that judges them. A client names the few object versions that it has",
  ),
  BUCKETS_MAX: limit(
    10_000,
    "count",
    "buckets that may be made through a gateway: they are listed in one answer. S3 gives an account as many",
  ),
  BYTES_IN_FLIGHT_MAX: limit(
    512 * MIB,
    "bytes",
    "of request bodies that a server holds at once, whatever their number, and as many of answers that are being taken; bodies beyond it wait, and are answered OVERLOADED after BYTES_WAIT_MS. A connection has at most half, a credential three quarters, an address seven eighths, and the less the more is taken",
  ),
  BYTES_FREE: limit(64 * KIB, "bytes", "of each body, which are not counted: small requests never wait"),
  BYTES_WAIT_MS: limit(5000, "ms", "how long a body waits for its bytes; the network holds its sender back meanwhile"),
  READ_REPAIRS_MAX: limit(
    4096,
    "count",
    "missing and damaged copies that readers met and that wait to be queued for repair, and as many that were queued lately: together a MiB. One more is met again by a later reader",
  ),
  READ_REPAIR_AGAIN_MS: limit(
    60_000,
    "ms",
    "a copy that readers meet again and again is told to the database once in this time; maintenance repairs it meanwhile",
  ),
  CHUNK_WRITES_MAX: limit(
    32,
    "count",
    "chunks that a gateway's own engine stores side by side, for all objects that are being put: 128 MiB of default chunks; more of them make no disk faster",
  ),
  ERROR_TEXT_MAX: limit(
    300,
    "count",
    "characters of a message or detail of an error, which may quote what a client sent",
  ),
} as const satisfies Record<string, DocumentedLimit>);
