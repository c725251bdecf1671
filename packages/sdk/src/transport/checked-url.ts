import { AshlarError } from "../errors/index.ts";

/** A base URL without its trailing slash. @throws {AshlarError} INVALID_ARGUMENT unless it is http or https. */
export function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return text.replace(/\/+$/, "");
  throw new AshlarError("INVALID_ARGUMENT", "a server's URL is http://host:port or https://host", {
    details: { url: text.slice(0, 200) },
  });
}
