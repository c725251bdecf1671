import type { LimitDoc } from "@ashlar/sdk/docs";
import { KIB, type Limit, MIB } from "@ashlar/sdk/limits";

/** A limit with its documentation: a server has room for both in one place. */
type DocumentedLimit = Limit & LimitDoc;

const limit = (value: number, unit: LimitDoc["unit"], reason: string): DocumentedLimit =>
  Object.freeze({ value, unit, reason });

/** Bounds of the HTTP listener, by name; beside `LIMITS` of the SDK, which knows nothing of sockets. */
export const HTTP_LIMITS = Object.freeze({
  HEADER_MAX_BYTES: limit(
    64 * KIB,
    "bytes",
    "8 KiB of user metadata, percent-encoded, and grants fit three times over",
  ),
  HEADERS_TIMEOUT_MS: limit(
    15_000,
    "ms",
    "a client that sends its first bytes or its headers more slowly is cut off (slow loris)",
  ),
  IDLE_TIMEOUT_MS: limit(120_000, "ms", "a connection on which no byte moves for this long is closed, a body included"),
  KEEP_ALIVE_TIMEOUT_MS: limit(65_000, "ms", "above the 60 s of common load balancers, so that they close first"),
  CONNECTIONS_MAX: limit(8192, "count", "sockets of one listener; more are refused at once"),
  STREAMS_MAX: limit(256, "count", "concurrent HTTP/2 streams of one connection"),
  STREAM_WINDOW_BYTES: limit(
    2 * MIB,
    "bytes",
    "HTTP/2 window of a stream; Node's 64 KiB caps a stream at window ÷ round trip",
  ),
  CONNECTION_WINDOW_BYTES: limit(
    16 * MIB,
    "bytes",
    "HTTP/2 window of a connection: bounds what all its streams buffer",
  ),
  SESSION_MEMORY_MAX_BYTES: limit(
    256 * MIB,
    "bytes",
    "Node ends a session with ENHANCE_YOUR_CALM above it; its default of 10 MB kills parallel 4 MiB messages",
  ),
  LINGER_MS: limit(
    2000,
    "ms",
    "an early answer is followed by this much reading, so that a reset does not overtake the answer on its way to the client",
  ),
  RESET_DELAY_MS: limit(
    100,
    "ms",
    "an HTTP/2 stream is reset this long after an early answer, so that its trailers go first",
  ),
} as const satisfies Record<string, DocumentedLimit>);
