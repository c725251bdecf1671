import { LIMITS } from "@ashlar/sdk/limits";
import type { DescMethod } from "@bufbuild/protobuf";
import { type ConnectRouter, createConnectRouter, type HandlerContext, type Interceptor } from "@connectrpc/connect";
import { createValidateInterceptor } from "@connectrpc/validate";
import { HTTP_LIMITS } from "../bounds/http-limits.ts";
import { boundedTextDecoder } from "../bounds/json-bounds.ts";
import { REQUEST_CONTEXT } from "../request-context.ts";
import type { RequestLog } from "../request-log.ts";
import { type BoundedHandler, boundedHandler, type MessageBounds } from "./bounded-handler.ts";
import { errorInterceptor } from "./error-interceptor.ts";
import { translateLibraryErrors } from "./library-errors.ts";
import { keepDeadline } from "./rpc-deadline.ts";
import { rpcRefusal } from "./rpc-refusal.ts";
import { tolerantHandler } from "./rpc-request.ts";

/** Runs when the headers of a call are known, before any of its body is read. What it throws ends the call. */
export type RpcGate = (context: HandlerContext) => void | Promise<void>;

/** Options with which an API registers its RPCs. */
export interface RpcOptions {
  readonly readMaxBytes: number;
  readonly writeMaxBytes: number;
  /** Fields that a message may have, nested ones included; see `MESSAGE_FIELDS_MAX`. */
  readonly fieldsMax: number;
  /** Long messages are decoded in turns; messages that carry bytes are not, because they cost little for their length. */
  readonly inTurns: boolean;
  /** The most of a request's messages that the handler holds at once, in bytes. */
  readonly heldMaxBytes: number;
  readonly interceptors: Interceptor[];
  readonly requestGate: RpcGate;
  readonly binaryOptions: { readonly readUnknownFields: boolean; readonly recursionLimit: number };
  /** Unknown members of a JSON message are ignored, as the Connect protocol says. */
  readonly jsonOptions: { readonly ignoreUnknownFields: boolean };
}

/**
 * How an API registers its RPCs: `control(gate)` for messages that are validated, `control()` for calls that need no key, `bulk(maxBytes, gate)` for
 * chunk bytes, `lists(maxBytes, gate)` for long lists.
 */
export interface RpcOptionSource {
  /**
   * Messages that are checked against the rules of the proto files: up to `messageMaxBytes`, by default REQUEST_MESSAGE_MAX_BYTES. Without a gate the
   * call needs no key and takes OPEN_MESSAGE_MAX_BYTES. Answers up to CONTROL_MESSAGE_MAX_BYTES.
   */
  control(gate?: RpcGate, messageMaxBytes?: number): RpcOptions;
  /**
   * Messages with up to `messageMaxBytes` of chunk bytes and little else; the handler checks them itself.
   *
   * @param heldMaxBytes for streams: how much of all messages is held at once; default: one message.
   */
  bulk(messageMaxBytes: number, gate: RpcGate, heldMaxBytes?: number): RpcOptions;
  /** Messages up to `messageMaxBytes` that are long lists; the handler checks them itself. */
  lists(messageMaxBytes: number, gate: RpcGate): RpcOptions;
}

/** Registers the RPCs of one API. */
export type RpcRoutes = (router: ConnectRouter, options: RpcOptionSource) => void;

/** Room for what a message with the bytes of a chunk has in addition to them. */
const MESSAGE_SLACK_BYTES = 64 * 1024;

/** Unknown fields are skipped: to keep them would cost hundreds of bytes for every two received. */
const BINARY = Object.freeze({ readUnknownFields: false, recursionLimit: HTTP_LIMITS.MESSAGE_DEPTH_MAX.value });

/** One for all servers of the process: it keeps the rules of each message, which take tens of ms to parse. */
const VALIDATION = createValidateInterceptor();

/**
 * Builds the handlers of all RPCs. They speak gRPC, gRPC-Web and Connect, uncompressed: chunk bytes do not compress, and Connect's default of
 * gzipping each message costs three quarters of the throughput.
 *
 * If the gate refuses a call, no byte of its body is read, on any protocol: Connect asks the gate first.
 */
export function createRpcHandlers(
  routes: readonly RpcRoutes[],
  { log }: { readonly log: RequestLog },
): readonly BoundedHandler[] {
  const errors = errorInterceptor(log);
  const limited = (
    limits: Pick<RpcOptions, "readMaxBytes" | "writeMaxBytes" | "fieldsMax"> &
      Partial<Pick<RpcOptions, "heldMaxBytes" | "inTurns">>,
    interceptors: Interceptor[],
    gate: RpcGate | undefined,
  ): RpcOptions => ({
    heldMaxBytes: limits.readMaxBytes,
    inTurns: true,
    ...limits,
    interceptors,
    requestGate: (context) => {
      translateLibraryErrors(context, log);
      keepDeadline(context);
      return passGate(context, gate);
    },
    binaryOptions: BINARY,
    jsonOptions: { ignoreUnknownFields: true },
  });
  const source: RpcOptionSource = {
    control(gate, messageMaxBytes = HTTP_LIMITS.REQUEST_MESSAGE_MAX_BYTES.value) {
      const readMaxBytes = gate === undefined ? HTTP_LIMITS.OPEN_MESSAGE_MAX_BYTES.value : messageMaxBytes;
      const writeMaxBytes = LIMITS.CONTROL_MESSAGE_MAX_BYTES;
      const fieldsMax = HTTP_LIMITS.MESSAGE_FIELDS_MAX.value;
      return limited({ readMaxBytes, writeMaxBytes, fieldsMax }, [errors, VALIDATION], gate);
    },
    bulk(messageMaxBytes, gate, heldMaxBytes = messageMaxBytes) {
      const maxBytes = messageMaxBytes + MESSAGE_SLACK_BYTES;
      const fieldsMax = HTTP_LIMITS.MESSAGE_FIELDS_MAX.value;
      return limited(
        { readMaxBytes: maxBytes, writeMaxBytes: maxBytes, fieldsMax, heldMaxBytes, inTurns: false },
        [errors],
        gate,
      );
    },
    lists(messageMaxBytes, gate) {
      const fieldsMax = HTTP_LIMITS.LISTS_MESSAGE_FIELDS_MAX.value;
      return limited({ readMaxBytes: messageMaxBytes, writeMaxBytes: messageMaxBytes, fieldsMax }, [errors], gate);
    },
  };
  const router = createConnectRouter({ acceptCompression: [], ...source.control() });
  const bounds = new Map<string, MessageBounds>();
  const noted: ConnectRouter = {
    handlers: router.handlers,
    rpc(method, implementation, options) {
      const rpc = options as RpcOptions;
      bounds.set(pathOf(method), rpc);
      // The bounds of a message depend on its method.
      const jsonOptions = { ...rpc.jsonOptions, textDecoder: boundedTextDecoder(method.input, rpc.fieldsMax) };
      router.rpc(method, implementation, { ...rpc, jsonOptions });
      return noted;
    },
    service(service, implementation, options) {
      for (const method of service.methods) {
        // The service is complete by its type; TypeScript cannot pair a method with its handler over a union.
        noted.rpc(method, implementation[method.localName] as never, options);
      }
      return noted;
    },
  };
  for (const register of routes) register(noted, source);
  return router.handlers.map((handler) =>
    boundedHandler(tolerantHandler(handler), bounds.get(handler.requestPath) ?? source.control()),
  );
}

const pathOf = ({ parent, name }: DescMethod): string => `/${parent.typeName}/${name}`;

async function passGate(context: HandlerContext, gate: RpcGate | undefined): Promise<void> {
  try {
    const request = context.values.get(REQUEST_CONTEXT);
    // A call without a gate needs no key, and a stream may stay open for LONG_LIVED_MAX_MS. Such calls have slots of their own, so that they
    // are answered even when all other slots are taken: a busy server is alive.
    if (gate === undefined) request.moveTo(context.method.methodKind === "unary" ? "open" : "long-lived");
    else {
      if (request.refusal !== undefined) throw request.refusal;
      await gate(context);
      request.trust(request.caller);
    }
  } catch (error) {
    throw rpcRefusal(context.values, error);
  }
}
