import { AshlarError } from "../errors/index.ts";

/**
 * A base URL in its normal form, without a slash at the end. A path is put before the path of every request, as behind a proxy.
 *
 * @throws {AshlarError} INVALID_ARGUMENT unless the URL is http or https, and for a URL with a user, password, query or fragment: some transports
 *   would send such parts, others drop them, and URLs go into messages and logs. The error's message does not show them either.
 */
export function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.href === url.origin + url.pathname)
    return url.href.replace(/([^/])\/+$/, "$1");
  const fault = typeof text === "string" ? `not "${shownUrl(text)}": no user, password or query` : "and was not given";
  throw new AshlarError("INVALID_ARGUMENT", `a server's URL is http://host:port or https://host, ${fault}`);
}

/** A URL, or any text given for one, for messages and logs: without parts that may be a user, password, query or fragment. */
export function shownUrl(text: string): string {
  return String(text).replace(/^.*@|[?#].*/gs, "…");
}
