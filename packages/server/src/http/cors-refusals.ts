import type { Clock, Logger } from "@ashlar/sdk/ports";
import type { HttpRequest } from "./http-handler.ts";

/** A page that is refused asks again and again, and strangers send what origins they like: one line per origin and time, for so many origins. */
const QUIET_MS = 10 * 60 * 1000;
const ORIGINS_MAX = 100;
/** Longest that a browser sends is a scheme, a host name of 253 characters and a port. */
const ORIGIN_MAX_LENGTH = 280;
/** What an `Origin` header has to say; anything else is no page's. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[\x21-\x7e]+$/;

/** Notes that the page of a request was refused. */
export type NoteRefusal = (request: HttpRequest, origin: string) => void;

/**
 * Writes a warning with the origin and the flag when a web page of another origin is refused: its browser tells the page nothing but that the
 * request failed.
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

/** Browsers tell the origin of a page to its own server as well, unless it only reads. */
function isOwn({ header, url }: HttpRequest, origin: string): boolean {
  const host = header.get("host") ?? (URL.canParse(url) ? new URL(url).host : "");
  return URL.canParse(origin) && new URL(origin).host === host;
}
