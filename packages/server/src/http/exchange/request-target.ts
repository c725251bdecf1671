import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { AshlarError } from "@ashlar/sdk/errors";

/** A request of Node's HTTP/1.1 or HTTP/2 server. */
export type NodejsRequest = IncomingMessage | Http2ServerRequest;

/** Where a request goes. */
export interface RequestTarget {
  /** `host` or `host:port`, fit for a URL. */
  readonly authority: string;
  /** Path and query as sent; `*` for `OPTIONS *`. */
  readonly target: string;
}

/** What a name may consist of (RFC 3986 §3.2.2), with an optional port; IPv6 addresses are in brackets. No user, no password. */
const AUTHORITY = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::(\d{0,5}))?$/;

const PORT_MAX = 65_535;

const VERSIONS: ReadonlySet<string> = new Set(["1.0", "1.1"]);

/** Taken as the host where HTTP allows none: an empty Host, HTTP/1.0, HTTP/2 without `:authority`. */
const NO_HOST = "localhost";

/** The last authority that was valid: nearly all requests to a server name the same one. */
let lastGood = NO_HOST;

/**
 * The authority and target of a request by RFC 9112 §3.2 and RFC 9113 §8.3.1: the host of an absolute target, else the one that the request names.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for HTTP/0.9, two hosts or other single headers, an invalid host, a port out of range, and a target in
 *   no known form; UNSUPPORTED for a transfer coding other than chunked.
 */
export function parseTarget(request: NodejsRequest): RequestTarget {
  // The parser takes more versions than this server speaks.
  if (!("stream" in request || VERSIONS.has(request.httpVersion)))
    throw invalid("this server speaks HTTP/1.0, HTTP/1.1 and HTTP/2");
  assertNotCoded(request);
  const named = namedAuthority(request);
  const target = request.url ?? "/";
  if (target.startsWith("/")) return { authority: named, target };
  if (target === "*" && request.method === "OPTIONS") return { authority: named, target: "/*" };
  const absolute = /^https?:\/\/([^/?#]*)/i.exec(target);
  if (absolute === null) throw invalid("the request target has to begin with a slash, or with http:// or https://");
  const [origin, authority = ""] = absolute;
  const rest = target.slice(origin.length);
  if (authority === "") throw invalid("the request target names no host");
  return { authority: checkAuthority(authority), target: rest.startsWith("/") ? rest : `/${rest}` };
}

function namedAuthority(request: NodejsRequest): string {
  const host = singleHeaders(request.rawHeaders).get("host");
  if (host === undefined && request.httpVersion === "1.1") throw invalid("an HTTP/1.1 request needs a Host header");
  const authority = "authority" in request ? request.authority : undefined;
  if (authority && host !== undefined && authority !== host) throw invalid(":authority and Host name different hosts");
  return checkAuthority(authority || host || NO_HOST);
}

/** If one of these comes several times, Node keeps the first and silently drops the others; another server may take the last. */
const SINGLE_HEADERS: ReadonlySet<string> = new Set([
  "host",
  "authorization",
  "content-type",
  "expires",
  "if-modified-since",
  "if-unmodified-since",
]);

/** @throws {AshlarError} INVALID_ARGUMENT if a header that has one value came more than once. */
function singleHeaders(rawHeaders: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase();
    if (!SINGLE_HEADERS.has(name)) continue;
    if (found.has(name)) throw invalid(`the request has more than one header ${name}`);
    found.set(name, rawHeaders[index + 1] ?? "");
  }
  return found;
}

/** RFC 9112 §6.1: a body in a coding that the receiver does not know must not be taken for the content itself. */
function assertNotCoded(request: NodejsRequest): void {
  const coding = request.headers["transfer-encoding"];
  if (coding === undefined || coding.trim().toLowerCase() === "chunked") return;
  throw new AshlarError("UNSUPPORTED", "the only transfer coding that this server knows is chunked");
}

function checkAuthority(authority: string): string {
  if (authority === lastGood) return authority;
  const match = AUTHORITY.exec(authority);
  // The grammar takes names that no URL can have, such as 1.2.3.999.
  if (match === null || Number(match[1] ?? 0) > PORT_MAX || !URL.canParse(`http://${authority}`)) {
    throw invalid("the request's host is no host name or address with an optional port up to 65535");
  }
  lastGood = authority;
  return authority;
}

function invalid(message: string): AshlarError {
  return new AshlarError("INVALID_ARGUMENT", message);
}
