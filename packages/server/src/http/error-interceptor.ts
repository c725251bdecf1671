import type { Logger } from "@ashlar/sdk/ports";
import { ashlarErrorFrom, connectErrorFrom } from "@ashlar/sdk/rpc";
import { ConnectError, type Interceptor } from "@connectrpc/connect";
import { publicError, withRequestId } from "./problem.ts";
import { noteErrorCode, REQUEST_CONTEXT } from "./request-context.ts";

/**
 * Turns whatever an RPC handler throws into a status with an ErrorInfo, so that each failed call carries our code. Unexpected failures are
 * logged, and tell the caller nothing but the request id.
 */
export function errorInterceptor(logger: Logger): Interceptor {
  return (next) => async (request) => {
    const translate = (error: unknown): ConnectError => {
      const known = publicError(error instanceof ConnectError ? ashlarErrorFrom(error) : error);
      const { requestId } = request.contextValues.get(REQUEST_CONTEXT);
      const method = `${request.service.typeName}/${request.method.name}`;
      noteErrorCode(request.contextValues, known.code);
      if (known.code === "INTERNAL") logger.error({ error, requestId, method }, "an RPC failed");
      return connectErrorFrom(withRequestId(known, requestId));
    };
    try {
      const response = await next(request);
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
