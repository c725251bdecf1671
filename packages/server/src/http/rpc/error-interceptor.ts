import { ashlarErrorFrom, connectErrorFrom } from "@ashlar/sdk/rpc";
import { ConnectError, type Interceptor } from "@connectrpc/connect";
import { publicError, withRequestId } from "../problem.ts";
import { noteErrorCode, REQUEST_CONTEXT } from "../request-context.ts";
import type { RequestLog } from "../request-log.ts";
import { decodedMessages } from "./decode-fault.ts";
import { noteRead } from "./library-errors.ts";

/**
 * Turns whatever an RPC handler throws into a status with an ErrorInfo, so that each failed call carries our code. Unexpected failures are
 * logged, and tell the caller nothing but the request id. Messages of a stream that cannot be read are the caller's fault.
 */
export function errorInterceptor(log: RequestLog): Interceptor {
  return (next) => async (request) => {
    const translate = (error: unknown): ConnectError => {
      const known = publicError(error instanceof ConnectError ? ashlarErrorFrom(error) : error);
      const context = request.contextValues.get(REQUEST_CONTEXT);
      const { requestId } = context;
      const method = `${request.service.typeName}/${request.method.name}`;
      noteErrorCode(request.contextValues, known.code);
      if (known.code === "INTERNAL")
        log.write("error", { context, fields: { error, requestId, method }, message: "an RPC failed" });
      return connectErrorFrom(withRequestId(known, requestId));
    };
    noteRead(request.contextValues);
    const single = request.method.methodKind === "server_streaming";
    try {
      const response = await next(
        request.stream ? { ...request, message: decodedMessages(request.message, { single }) } : request,
      );
      return response.stream ? { ...response, message: translated(response.message, translate) } : response;
    } catch (error) {
      throw translate(error);
    }
  };
}

async function* translated<Message>(
  messages: AsyncIterable<Message>,
  translate: (error: unknown) => ConnectError,
): AsyncGenerator<Message, void, undefined> {
  try {
    yield* messages;
  } catch (error) {
    throw translate(error);
  }
}
