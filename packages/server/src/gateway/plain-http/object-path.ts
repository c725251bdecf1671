import { AshlarError } from "@ashlar/sdk/errors";
import { OBJECTS_ROOT } from "../../http/gateway-paths.ts";

/** What an HTTP path names. */
export type ObjectPath =
  | { readonly kind: "service" }
  | { readonly kind: "bucket"; readonly bucket: string }
  | { readonly kind: "object"; readonly bucket: string; readonly key: string };

/**
 * Takes a raw path apart: `/objects`, `/objects/<bucket>`, `/objects/<bucket>/<key>`.
 *
 * The key is everything after the bucket's slash, percent-decoded once and never normalised: `..`, empty segments and encoded slashes are key
 * characters like any other. An empty key is left for the key rules to refuse.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for text that is not percent-encoded UTF-8.
 */
export function parseObjectPath(path: string): ObjectPath {
  const rest = path.slice(OBJECTS_ROOT.length + 1);
  if (rest === "") return { kind: "service" };
  const { bucket, key } = splitReference(rest);
  return key === undefined ? { kind: "bucket", bucket } : { kind: "object", bucket, key };
}

/** Splits a percent-encoded `<bucket>/<key>`; without a slash there is no key. @throws {AshlarError} INVALID_ARGUMENT. */
export function splitReference(text: string): { readonly bucket: string; readonly key: string | undefined } {
  const slash = text.indexOf("/");
  if (slash < 0) return { bucket: decodeText(text), key: undefined };
  return { bucket: decodeText(text.slice(0, slash)), key: decodeText(text.slice(slash + 1)) };
}

function decodeText(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new AshlarError("INVALID_ARGUMENT", "the path is not percent-encoded UTF-8", { cause: error });
  }
}
