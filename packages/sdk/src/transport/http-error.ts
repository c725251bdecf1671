import { AshlarError, type ErrorDetails, isErrorCode } from "../errors/index.ts";
import { withRetryAfter } from "../internal/retry-after.ts";
import * as LIMITS from "../limit-values.ts";
import { errorOfStatus } from "./foreign-server.ts";
import { readBody } from "./http-body.ts";
import type { HttpResponse } from "./http-exchange.ts";
import { type JsonMessage, listOf, messageFrom, messageOf, textOf } from "./proto-json.ts";

/** Prefix of our codes in the enum of the wire contract. */
const REASON_PREFIX = "ERROR_REASON_";

/** The error of a response that is not a success, from problem+json, Connect's JSON, or only the status. Reads the body. */
export async function errorFromResponse(response: HttpResponse): Promise<AshlarError> {
  const error = await errorOf(response);
  return withRetryAfter(error, (name) => response.header(name));
}

async function errorOf(response: HttpResponse): Promise<AshlarError> {
  const message = await readError(response);
  return (
    fromConnectJson(message) ?? fromProblem(message, response.header("ashlar-error-code")) ?? errorOfStatus(response)
  );
}

async function readError(response: HttpResponse): Promise<JsonMessage> {
  try {
    const bytes = await readBody(response, { maxBytes: LIMITS.FRAME_MAX_BYTES });
    return messageFrom(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    // An abort must stay an abort. If the body is not JSON, the status is enough.
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
    // The readable form of the detail; all our servers send it.
    const info = messageOf(detail, "debug");
    const code = textOf(info, "reason").slice(REASON_PREFIX.length);
    if (isErrorCode(code)) return new AshlarError(code, textOf(message, "message"), { details: detailsOf(info) });
  }
  return undefined;
}

function detailsOf(message: JsonMessage): ErrorDetails {
  const entries = Object.entries(messageFrom(message.details));
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}
