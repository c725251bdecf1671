import type { FuzzRequest } from "./fuzz-request.ts";
import type { FuzzOutcome } from "./send-request.ts";

/** gRPC statuses that no request may cause. */
const OUR_FAULTS: Readonly<Record<string, string>> = { "2": "UNKNOWN", "13": "INTERNAL", "14": "UNAVAILABLE" };
const OUR_FAULT_NAMES = /"code":"(internal|unknown|unavailable)"/;

/** What is wrong with an answer; `undefined` if nothing is. */
export function problemOf(
  request: FuzzRequest,
  { status, headers, body, grpcStatus }: FuzzOutcome,
): string | undefined {
  const fault = grpcStatus === undefined ? undefined : OUR_FAULTS[grpcStatus];
  if (fault !== undefined) return `gRPC status ${fault}`;
  const isBusy = /OVERLOADED|resource_exhausted/.test(headers + body);
  // Of the client's own deadline.
  const isLate = status === 504 && request.headers.some(([name]) => /timeout/.test(name));
  if (status >= 500 && status !== 501 && !(status === 503 && isBusy) && !isLate) return `HTTP status ${status}`;
  const name = OUR_FAULT_NAMES.exec(body)?.[1];
  if (name !== undefined && !isBusy) return `Connect code ${name}`;
  // HTTP/2 has the star for OPTIONS only (RFC 9113 §8.3.1), and resets the stream.
  const isAnswerable = request.manner === "whole" && request.raw === undefined && request.path !== "*";
  if (status === 0 && isAnswerable) return "no answer";
  return undefined;
}
