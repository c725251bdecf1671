import { AshlarError } from "@ashlar/sdk/errors";

/**
 * The parameters of a query string (`a=1&b=2`), percent-decoded; a plus is a space.
 *
 * Stricter than URLSearchParams, which turns bad encoding into U+FFFD and lets a reader take one of two values. Both could list something else than
 * the caller meant.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for text that is not percent-encoded UTF-8, and for a name that occurs twice.
 */
export function parseQuery(query: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const mark = pair.indexOf("=");
    const name = decode(mark < 0 ? pair : pair.slice(0, mark));
    if (parameters.has(name)) throw new AshlarError("INVALID_ARGUMENT", `the query has ${name.slice(0, 40)} twice`);
    parameters.set(name, mark < 0 ? "" : decode(pair.slice(mark + 1)));
  }
  return parameters;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch (cause) {
    throw new AshlarError("INVALID_ARGUMENT", "the query is not percent-encoded UTF-8", { cause });
  }
}
