import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import type { Logger } from "@ashlar/sdk/ports";
import { connectErrorFrom } from "@ashlar/sdk/rpc";
import { type ConnectRouter, createConnectRouter, type HandlerContext, type Interceptor } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { createValidateInterceptor } from "@connectrpc/validate";
import { errorInterceptor } from "./error-interceptor.ts";
import { translateLibraryErrors } from "./library-errors.ts";
import { publicError, withRequestId } from "./problem.ts";
import { noteErrorCode, REQUEST_CONTEXT } from "./request-context.ts";
import { tolerantHandler } from "./rpc-request.ts";

/** Runs when the headers of a call are known and nothing of its body is read. What it throws ends the call. */
export type RpcGate = (context: HandlerContext) => void | Promise<void>;

/** How JSON messages are read. */
export interface RpcJsonOptions {
  readonly ignoreUnknownFields?: boolean;
  readonly textDecoder?: Pick<TextDecoder, "decode">;
}

/** Bytes that are no UTF-8 are refused: replaced by U+FFFD they would name another key than the one that was meant. */
export const STRICT_UTF8: RpcJsonOptions = { textDecoder: new TextDecoder("utf-8", { fatal: true }) };

/** Options with which a face registers its RPCs. */
export interface RpcOptions {
  readonly readMaxBytes: number;
  readonly writeMaxBytes: number;
  readonly interceptors: Interceptor[];
  readonly requestGate: RpcGate;
  /** Default: members of a JSON message that nobody knows are passed over, as the Connect protocol has it. */
  readonly jsonOptions?: RpcJsonOptions;
}

/** How a face registers its RPCs: with `control(gate)` for messages that are validated, `bulk(gate, maxBytes)` for chunk bytes. */
export interface RpcOptionSource {
  /** Messages up to CONTROL_MESSAGE_MAX_BYTES, checked against the rules of the proto files. */
  control(gate?: RpcGate): RpcOptions;
  /** Messages up to `messageMaxBytes`; the handler checks them itself. */
  bulk(messageMaxBytes: number, gate?: RpcGate): RpcOptions;
}

/** Registers the RPCs of one face. */
export type RpcRoutes = (router: ConnectRouter, options: RpcOptionSource) => void;

/** Room for what goes around the bytes of a chunk in one message. */
const MESSAGE_SLACK_BYTES = 64 * 1024;

/**
 * Builds the handlers of all RPCs. They speak gRPC, gRPC-Web and Connect, uncompressed: chunk bytes do not compress, and Connect's default of
 * gzipping each message costs three quarters of the throughput.
 */
export function createRpcHandlers(
  routes: readonly RpcRoutes[],
  { logger }: { readonly logger: Logger },
): readonly UniversalHandler[] {
  const errors = errorInterceptor(logger);
  const validation = createValidateInterceptor();
  const limited = (maxBytes: number, interceptors: Interceptor[], gate: RpcGate | undefined): RpcOptions => ({
    readMaxBytes: maxBytes,
    writeMaxBytes: maxBytes,
    interceptors,
    jsonOptions: STRICT_UTF8,
    requestGate: (context) => {
      translateLibraryErrors(context, logger);
      return passGate(context, gate);
    },
  });
  const source: RpcOptionSource = {
    control: (gate) => limited(LIMITS.CONTROL_MESSAGE_MAX_BYTES.value, [errors, validation], gate),
    bulk: (messageMaxBytes, gate) => limited(messageMaxBytes + MESSAGE_SLACK_BYTES, [errors], gate),
  };
  const router = createConnectRouter({ acceptCompression: [], ...source.control() });
  for (const register of routes) register(router, source);
  return router.handlers.map(tolerantHandler);
}

async function passGate(context: HandlerContext, gate: RpcGate | undefined): Promise<void> {
  try {
    if (context.values.get(REQUEST_CONTEXT).overloaded) {
      throw new AshlarError("OVERLOADED", "too many requests are running");
    }
    await gate?.(context);
  } catch (error) {
    const known = publicError(error);
    noteErrorCode(context.values, known.code);
    throw connectErrorFrom(withRequestId(known, context.values.get(REQUEST_CONTEXT).requestId));
  }
}
