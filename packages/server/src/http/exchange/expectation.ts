import { AshlarError } from "@ashlar/sdk/errors";
import type { HttpRequest } from "../http-handler.ts";

/** Whether a request waits for a 100 before it sends its body. */
export function expectsContinue(expect: string | undefined): boolean {
  return /^100-continue$/i.test(expect ?? "");
}

/**
 * The error for a request with an unknown expectation, to be answered as 417 (RFC 9110 §10.1.1). `undefined` for all others; HTTP/1.0 has none.
 *
 * Checked where all requests are counted and refused: Node's own 417 would bypass every bound on unauthenticated callers.
 */
export function unknownExpectation({
  header,
  httpVersion,
}: Pick<HttpRequest, "header" | "httpVersion">): AshlarError | undefined {
  const expect = header.get("expect") ?? "";
  if (expect === "" || expectsContinue(expect) || httpVersion === "1.0") return undefined;
  return new AshlarError("UNSUPPORTED", "the only expectation that this server knows is 100-continue");
}
