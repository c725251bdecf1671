import { AshlarError } from "@ashlar/sdk/errors";
import type { NoteRefusal } from "./cors-refusals.ts";
import type { HttpHandler, HttpRequest, HttpResponse } from "./http-handler.ts";

/** Which web pages may call the server. */
export interface CorsOptions {
  /**
   * Origins like `https://app.example`, as browsers write them, or `*` for any. No cookies are involved, so `*` gives a page no more than its own key
   * does.
   */
  readonly allowedOrigins: readonly string[] | "*";
  /** How long a browser may remember the answer, default 2 hours (the longest that Chrome honours). */
  readonly maxAgeSeconds?: number | undefined;
}

const MAX_AGE_SECONDS = 7200;
const METHODS = "GET, HEAD, PUT, POST, DELETE";

/** Request headers of our HTTP APIs, of Connect, of gRPC-Web and of traces. A preflight may also ask for names like `ashlar-*`. */
const REQUEST_HEADERS: readonly string[] = [
  "authorization",
  "content-type",
  "range",
  "if-match",
  "if-none-match",
  "if-modified-since",
  "if-unmodified-since",
  "if-range",
  "idempotency-key",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "expires",
  "connect-protocol-version",
  "connect-timeout-ms",
  "grpc-timeout",
  "x-grpc-web",
  "x-user-agent",
  "traceparent",
  "tracestate",
  "baggage",
];

const EXPOSED_HEADERS = [
  "etag",
  "last-modified",
  "content-range",
  "accept-ranges",
  "content-length",
  "content-disposition",
  "content-encoding",
  "content-language",
  "expires",
  "retry-after",
  "ashlar-request-id",
  "ashlar-error-code",
  "ashlar-object-version",
  "ashlar-sha256",
  "ashlar-created-at-ms",
  "ashlar-durability",
  "ashlar-metadata",
  "grpc-status",
  "grpc-message",
  "grpc-status-details-bin",
];

const OUR_HEADER = /^ashlar-[a-z0-9-]{1,128}$/;

/** Origins of pages that are no web site, such as `capacitor://localhost`: browsers do not change their form. */
const OTHER_ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+$/;
const OF_WEB = /^https?:/;

/**
 * What to write instead of an origin that no browser ever sends because of its form: with a path or a slash, without a scheme, in capitals, with the
 * default port of its scheme. `undefined` for an origin that browsers send.
 */
export function originProblem(text: string): string | undefined {
  const originOf = (url: string): string | undefined => {
    const { protocol, origin } = URL.canParse(url) ? new URL(url) : { protocol: "", origin: "" };
    return OF_WEB.test(protocol) ? origin : undefined;
  };
  const own = originOf(text);
  if (text === "*" || text === "null" || text === own || (!OF_WEB.test(text) && OTHER_ORIGIN.test(text)))
    return undefined;
  // Without a scheme, a host with a port would be read as a URL whose scheme is the host.
  const meant = own ?? (/^[\w.-]+:\d+\/?$|^[\w-]+(\.[\w-]+)+\/?$/.test(text) ? originOf(`http://${text}`) : undefined);
  return meant === undefined ? "write scheme, host and port, such as https://app.example" : `write ${meant}`;
}

/** @throws {AshlarError} INVALID_ARGUMENT for an origin that can match no page. */
function assertOrigins({ allowedOrigins }: CorsOptions): void {
  for (const origin of allowedOrigins === "*" ? [] : allowedOrigins) {
    const problem = originProblem(origin);
    if (problem !== undefined)
      throw new AshlarError("INVALID_ARGUMENT", `cors: "${origin}" is the origin of no page: ${problem}`);
  }
}

/**
 * Lets web pages of the allowed origins call the handler. Without options no page may, and nothing is added to answers.
 *
 * @param noteRefusal called for each page that may not.
 * @throws {AshlarError} INVALID_ARGUMENT for an origin that can match no page.
 */
export function corsHandler(
  handler: HttpHandler,
  options: CorsOptions | undefined,
  noteRefusal: NoteRefusal,
): HttpHandler {
  if (options !== undefined) assertOrigins(options);
  return async (request) => {
    const origin = request.header.get("origin");
    const allowed = origin !== null && options !== undefined && isAllowed(origin, options);
    if (origin !== null && !allowed) noteRefusal(request, origin);
    if (options === undefined) return handler(request);
    if (isPreflight(request)) return allowed ? preflight(request, origin, options) : { status: 204, header: vary() };
    const response = await handler(request);
    if (!allowed) return options.allowedOrigins === "*" ? response : { ...response, header: vary(response.header) };
    const header = grant(origin, options, response.header);
    header.set("access-control-expose-headers", exposed(response.header));
    return { ...response, header };
  };
}

function isAllowed(origin: string, { allowedOrigins }: CorsOptions): boolean {
  return allowedOrigins === "*" || allowedOrigins.includes(origin) || allowedOrigins.includes("*");
}

function isPreflight(request: HttpRequest): boolean {
  return request.method === "OPTIONS" && request.header.has("access-control-request-method");
}

function preflight(request: HttpRequest, origin: string, options: CorsOptions): HttpResponse {
  const asked = (request.header.get("access-control-request-headers") ?? "").toLowerCase().split(",");
  const ours = asked.map((name) => name.trim()).filter((name) => OUR_HEADER.test(name));
  const header = grant(origin, options);
  header.set("access-control-allow-methods", METHODS);
  header.set("access-control-allow-headers", [...REQUEST_HEADERS, ...ours].join(", "));
  header.set("access-control-max-age", String(options.maxAgeSeconds ?? MAX_AGE_SECONDS));
  return { status: 204, header };
}

function grant(origin: string, { allowedOrigins }: CorsOptions, base?: Headers): Headers {
  const any = allowedOrigins === "*" || allowedOrigins.includes("*");
  const header = any ? new Headers(base) : vary(base);
  header.set("access-control-allow-origin", any ? "*" : origin);
  return header;
}

/** Caches must not give one origin's answer to another. */
function vary(base?: Headers): Headers {
  const header = new Headers(base);
  header.append("vary", "origin");
  return header;
}

/** Users choose the names of metadata headers, and a browser shows only the headers that are listed. */
function exposed(header: Headers | undefined): string {
  const names = [...EXPOSED_HEADERS];
  header?.forEach((_, name) => {
    if (name.startsWith("ashlar-meta-")) names.push(name);
  });
  return names.join(", ");
}
