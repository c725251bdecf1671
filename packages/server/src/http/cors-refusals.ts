import type { Clock, Logger } from "@ashlar/sdk/ports";
import type { HttpRequest } from "./http-handler.ts";

/** A refused page asks again and again, and any caller can send any origin: one line per origin in this time, for at most ORIGINS_MAX origins. */
const QUIET_MS = 10 * 60 * 1000;
const ORIGINS_MAX = 100;
/** The longest that a browser sends is a scheme, a host name of 253 characters and a port. */
const ORIGIN_MAX_LENGTH = 280;
/** The form of an `Origin` header; anything else comes from no page. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[\x21-\x7e]+$/;

/** Notes that the page of a request was refused. */
export type NoteRefusal = (request: HttpRequest, origin: string) => void;

/**
 * Writes a warning with the origin and the flag when a web page of another origin is refused: the page itself learns only that the request
 * failed.
 */
export function createRefusalLog(logger: Logger, clock: Clock): NoteRefusal {
  const notedAtMs = new Map<string, number>();
  return (request, origin) => {
    if (origin.length > ORIGIN_MAX_LENGTH || !ORIGIN.test(origin) || isOwn(request, origin)) return;
    const now = clock.monotonicMs();
    const last = notedAtMs.get(origin);
    if (last !== undefined && now - last < QUIET_MS) return;
    const [oldest] = notedAtMs;
    if (last === undefined && notedAtMs.size >= ORIGINS_MAX && oldest !== undefined) {
      if (now - oldest[1] < QUIET_MS) return;
      notedAtMs.delete(oldest[0]);
    }
    notedAtMs.delete(origin); // so that the first one stays the oldest
    notedAtMs.set(origin, now);
    logger.warn(
      { origin, requestId: request.requestId },
      `a web page of ${origin} may not call this server; to let it, start the server with --cors-origins ${origin}`,
    );
  };
}

/** Browsers send the origin of a page to the page's own server too, unless the page only reads. */
function isOwn({ header, url }: HttpRequest, origin: string): boolean {
  const host = header.get("host") ?? (URL.canParse(url) ? new URL(url).host : "");
  return URL.canParse(origin) && new URL(origin).host === host;
}
