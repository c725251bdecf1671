import { AshlarError, ERROR_CODES, type ErrorCode, type ErrorDetails, isErrorCode } from "../errors/index.ts";
import { LIMITS } from "../limits.ts";
import { readBody } from "./http-body.ts";
import type { HttpResponse } from "./http-exchange.ts";
import { bytesFromBase64, type JsonMessage, listOf, messageFrom, textOf } from "./proto-json.ts";

const REASON_PREFIX = "ERROR_REASON_";

/** What a status means when no word of ours comes with it: a proxy, a load balancer or another server answered. */
const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "UNSUPPORTED",
  405: "UNSUPPORTED",
  412: "PRECONDITION_FAILED",
  413: "OBJECT_TOO_LARGE",
  415: "UNSUPPORTED",
  416: "INVALID_RANGE",
  429: "OVERLOADED",
  501: "UNSUPPORTED",
  502: "NODE_UNAVAILABLE",
  503: "NODE_UNAVAILABLE",
  504: "NODE_UNAVAILABLE",
  507: "DISK_FULL",
};

/** The error that a response which is not a success carries: problem+json, Connect's JSON, or only a status. Reads the body. */
export async function errorFromResponse(response: HttpResponse): Promise<AshlarError> {
  const message = await readError(response);
  return (
    fromConnectJson(message) ??
    fromProblem(message, response.header("ashlar-error-code")) ??
    new AshlarError(BY_STATUS[response.status] ?? "INTERNAL", `the server answered ${response.status}`, {
      details: { httpStatus: String(response.status) },
    })
  );
}

async function readError(response: HttpResponse): Promise<JsonMessage> {
  try {
    const bytes = await readBody(response, { maxBytes: LIMITS.FRAME_MAX_BYTES.value });
    return messageFrom(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    // An abort must stay one; a body that is no JSON leaves the status, which says enough.
    if (error instanceof Error && (error.name === "AbortError" || error.name === "TimeoutError")) throw error;
    return {};
  }
}

function fromProblem(message: JsonMessage, header: string | null | undefined): AshlarError | undefined {
  const code = isErrorCode(message.code) ? message.code : header;
  if (!isErrorCode(code)) return undefined;
  return new AshlarError(code, textOf(message, "detail") || code, { details: detailsOf(message) });
}

function fromConnectJson(message: JsonMessage): AshlarError | undefined {
  for (const detail of listOf(message, "details")) {
    if (detail.type !== "ashlar.v1.ErrorInfo") continue;
    const info =
      "debug" in detail ? messageFrom(detail.debug) : decodeErrorInfo(bytesFromBase64(textOf(detail, "value")));
    const code = textOf(info, "reason").slice(REASON_PREFIX.length);
    if (isErrorCode(code)) return new AshlarError(code, textOf(message, "message"), { details: detailsOf(info) });
  }
  return undefined;
}

function detailsOf(message: JsonMessage): ErrorDetails {
  const entries = Object.entries(messageFrom(message.details));
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

/** ErrorInfo in protobuf's binary form, by hand: field 1 a varint, field 2 map entries of two texts. Servers that send no `debug` need it. */
function decodeErrorInfo(bytes: Uint8Array): JsonMessage {
  const details: Record<string, string> = {};
  let reason = 0;
  for (const [field, value] of fieldsOf(bytes)) {
    if (field === 1 && typeof value === "number") reason = value;
    if (field !== 2 || typeof value === "number") continue;
    const entry = new Map(fieldsOf(value));
    details[utf8(entry.get(1))] = utf8(entry.get(2));
  }
  // The enum numbers the codes in the order of the table, from 1; a test of rpc/ keeps it so.
  return { reason: REASON_PREFIX + (Object.keys(ERROR_CODES)[reason - 1] ?? ""), details };
}

function utf8(value: number | Uint8Array | undefined): string {
  return typeof value === "object" ? new TextDecoder().decode(value) : "";
}

/** Fields of a message that has only varints and length-delimited fields; stops at anything else. */
function* fieldsOf(bytes: Uint8Array): Generator<[number, number | Uint8Array]> {
  let position = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[position++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (position < bytes.length) {
    const tag = varint();
    const value = varint();
    if ((tag & 7) === 0) yield [tag >> 3, value];
    else if ((tag & 7) === 2) {
      yield [tag >> 3, bytes.subarray(position, position + value)];
      position += value;
    } else return;
  }
}
