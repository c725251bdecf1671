import { AshlarError } from "../errors/index.ts";

/** A base URL in its normal form, without a slash at the end. @throws {AshlarError} INVALID_ARGUMENT unless it is http or https. */
export function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return url.href.replace(/\/+$/, "");
  throw new AshlarError("INVALID_ARGUMENT", `a server's URL is http://host:port or https://host, not "${text}"`);
}
