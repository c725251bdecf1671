import { AshlarError, ERROR_CODES } from "@ashlar/sdk/errors";
import type { UniversalHandler, UniversalServerRequest, UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { HttpRequest } from "../http-handler.ts";
import { problemResponse } from "../problem.ts";
import { REQUEST_CONTEXT } from "../request-context.ts";

/** The longest time that a timer of Node takes; with a longer one it fires at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

const CONNECT_TIMEOUT = /^\d{1,10}$/;
const GRPC_TIMEOUT = /^(\d{1,8})([HMS])$/;
const GRPC_UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000 };

/** Answers of the library that have a status only. */
const BARE: Readonly<Record<number, string>> = {
  405: "the method takes POST (and GET where it has no side effects)",
  415: "the content-type is none of Connect, gRPC or gRPC-Web for this method",
  505: "streams of both directions need HTTP/2",
};

/**
 * Wraps a handler of the RPC library. A deadline beyond the longest timer becomes the longest timer, and a refusal for which the library gives only a
 * status says what to do.
 */
export function tolerantHandler(handler: UniversalHandler): UniversalHandler {
  const run = async (request: UniversalServerRequest): Promise<UniversalServerResponse> => {
    const header = withBoundedTimeout(request.header);
    const response = await handler({ ...request, header });
    if (response.body === undefined && BARE[response.status] !== undefined) return refusal(request, response);
    return response.status === 500 ? withOwnStatus(request, response) : response;
  };
  return Object.assign(run, handler);
}

/** Connect answers 500 for all data loss. Wrong bytes that a client sent are the client's fault, and a 500 would count as ours. */
function withOwnStatus(request: UniversalServerRequest, response: UniversalServerResponse): UniversalServerResponse {
  const errorCode = request.contextValues?.get(REQUEST_CONTEXT).errorCode;
  const status = errorCode === undefined ? response.status : ERROR_CODES[errorCode].http;
  return status < 500 ? { ...response, status } : response;
}

function refusal(
  request: UniversalServerRequest,
  { status, header }: UniversalServerResponse,
): UniversalServerResponse {
  const code = status === 415 ? "INVALID_ARGUMENT" : "UNSUPPORTED";
  const { requestId = "" } = request as Partial<HttpRequest>;
  const answer = problemResponse(new AshlarError(code, BARE[status] ?? ""), {
    requestId,
    // A 505 would raise an alarm because a client took the wrong protocol.
    status: status === 505 ? 501 : status,
    header,
  });
  const { body } = answer;
  return {
    status: answer.status,
    header: answer.header ?? new Headers(),
    ...(body instanceof Uint8Array ? { body: once(body) } : {}),
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

function withBoundedTimeout(header: Headers): Headers {
  const connect = header.get("connect-timeout-ms");
  const grpc = GRPC_TIMEOUT.exec(header.get("grpc-timeout") ?? "");
  const isLong = (ms: number): boolean => ms > TIMER_MAX_MS;
  const connectIsLong = connect !== null && CONNECT_TIMEOUT.test(connect) && isLong(Number(connect));
  const grpcIsLong = grpc !== null && isLong(Number(grpc[1]) * (GRPC_UNIT_MS[grpc[2] ?? ""] ?? 0));
  if (!connectIsLong && !grpcIsLong) return header;
  const bounded = new Headers(header);
  if (connectIsLong) bounded.set("connect-timeout-ms", String(TIMER_MAX_MS));
  if (grpcIsLong) bounded.set("grpc-timeout", `${Math.floor(TIMER_MAX_MS / 1000)}S`);
  return bounded;
}
