import type { AshlarError } from "@ashlar/sdk/errors";
import { foreignAnswer } from "@ashlar/sdk/transport/rpc";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import { type CallOptions, type Client, type ClientWritableStream, Metadata, type ServiceError } from "@grpc/grpc-js";

/**
 * Calls through a @grpc/grpc-js client as Connect's transport interface: unary, client streams and server streams.
 *
 * @param clientNow asked at each call: a client whose connection is dead is replaced.
 */
export function createGrpcJsCalls(clientNow: () => Client, url: string): Transport {
  return {
    unary(method, signal, timeoutMs, header, input) {
      const { path, serialize, deserialize } = wireOf(method);
      return new Promise((resolve, reject) => {
        const response = new Headers();
        const call = clientNow().makeUnaryRequest(
          path,
          serialize,
          deserialize,
          input,
          metadataFrom(header),
          callOptions(timeoutMs),
          (error, message) => {
            release();
            const fault = faultOf(error);
            if (fault !== undefined) reject(fault);
            else
              resolve({
                stream: false,
                service: method.parent,
                method,
                header: response,
                message: message as never,
                trailer: new Headers(),
              });
          },
        );
        call.on("metadata", (metadata) => copyMetadata(metadata, response));
        const faultOf = watchAnswer(call, url);
        const release = cancelOnAbort(call, signal);
      });
    },
    async stream(method, signal, timeoutMs, header, input) {
      const wire = wireOf(method);
      const client = clientNow();
      const options = { metadata: metadataFrom(header), call: callOptions(timeoutMs), signal };
      const respond = (message: AsyncIterable<never>): never =>
        ({
          stream: true,
          service: method.parent,
          method,
          header: new Headers(),
          message,
          trailer: new Headers(),
        }) as never;
      switch (method.methodKind) {
        case "client_streaming":
          return respond(clientStream({ client, url }, wire, options, input) as never);
        case "server_streaming":
          return respond(serverStream({ client, url }, wire, options, input) as never);
        default:
          throw new ConnectError(`${method.methodKind} calls are not part of the contract`, Code.Unimplemented);
      }
    },
  };
}

interface Wire<I extends DescMessage, O extends DescMessage> {
  readonly path: string;
  readonly serialize: (value: MessageInitShape<I>) => Buffer;
  readonly deserialize: (bytes: Buffer) => MessageShape<O>;
}

interface Target {
  readonly client: Client;
  readonly url: string;
}

interface StreamOptions {
  readonly metadata: Metadata;
  readonly call: CallOptions;
  readonly signal: AbortSignal | undefined;
}

function wireOf<I extends DescMessage, O extends DescMessage>(method: {
  readonly input: I;
  readonly output: O;
  readonly name: string;
  readonly parent: { readonly typeName: string };
}): Wire<I, O> {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    serialize(value) {
      const bytes = toBinary(method.input, create(method.input, value));
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    // As a plain Uint8Array, so that members of the message are plain ones too: Buffer's slice() does not copy.
    deserialize: (bytes) => fromBinary(method.output, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
  };
}

/** Sends as fast as the stream takes messages; yields the one answer. An answer that comes early, mostly an error, ends the sending. */
async function* clientStream<I extends DescMessage, O extends DescMessage>(
  { client, url }: Target,
  { path, serialize, deserialize }: Wire<I, O>,
  { metadata, call: options, signal }: StreamOptions,
  input: AsyncIterable<MessageInitShape<I>>,
): AsyncGenerator<MessageShape<O>> {
  const answer = new Promise<MessageShape<O>>((resolve, reject) => {
    let end = (): void => {};
    const ended = new Promise<void>((settle) => {
      end = settle;
    });
    const call = client.makeClientStreamRequest(path, serialize, deserialize, metadata, options, (error, message) => {
      release();
      end();
      const fault = faultOf(error);
      if (fault !== undefined) reject(fault);
      else resolve(message as MessageShape<O>);
    });
    const faultOf = watchAnswer(call, url);
    const release = cancelOnAbort(call, signal);
    sendAll(call, input, ended).catch((error: unknown) => {
      reject(error as Error);
      call.cancel();
    });
  });
  yield await answer;
}

/** @param ended settles when the answer is here: nobody reads further messages then. */
async function sendAll<Message>(
  call: ClientWritableStream<Message>,
  input: AsyncIterable<Message>,
  ended: Promise<void>,
): Promise<void> {
  let over = false;
  const stop = ended.then(() => {
    over = true;
  });
  for await (const message of input) {
    if (over) return;
    // Waiting for the write itself, not for "drain": the stream's buffer counts messages, and would take 16 of a mebibyte.
    await Promise.race([new Promise<void>((written) => call.write(message, () => written())), stop]);
  }
  call.end();
}

async function* serverStream<I extends DescMessage, O extends DescMessage>(
  { client, url }: Target,
  { path, serialize, deserialize }: Wire<I, O>,
  { metadata, call: options, signal }: StreamOptions,
  input: AsyncIterable<MessageInitShape<I>>,
): AsyncGenerator<MessageShape<O>> {
  for await (const request of input) {
    const call = client.makeServerStreamRequest(path, serialize, deserialize, request, metadata, options);
    const faultOf = watchAnswer(call, url);
    const release = cancelOnAbort(call, signal);
    try {
      for await (const message of call) {
        const fault = faultOf(null);
        if (fault !== undefined) throw fault;
        yield message as MessageShape<O>;
      }
      return;
    } catch (error) {
      throw isServiceError(error) ? faultOf(error) : error;
    } finally {
      release();
      call.cancel();
    }
  }
  throw new ConnectError("a server stream begins with a request", Code.Internal);
}

/** The text of grpc-js about an answer that is no gRPC; of that answer it keeps only the status. */
const HTTP_STATUS = /^Received HTTP status code (\d+)/;

/**
 * Checks whether an answer comes from one of our servers.
 *
 * Cancels nothing: the status, which tells a proxy from any other server, is only in the error that the call ends with.
 *
 * @returns a function that says why the answer is none of ours, or else what error the call ended with; `undefined` for a good answer.
 */
function watchAnswer(call: Answering, url: string): (error: ServiceError | null) => Error | undefined {
  let foreign: AshlarError | undefined;
  call.on("metadata", (metadata) => {
    foreign = foreignAnswer({ status: 200, header: (name) => metadata.get(name)[0]?.toString() }, url);
  });
  return (error) => {
    const status = HTTP_STATUS.exec(error?.details ?? "")?.[1];
    if (status !== undefined) return foreignAnswer({ status: Number(status), header: () => undefined }, url);
    return foreign ?? (error === null ? undefined : connectErrorFromService(error));
  };
}

interface Answering {
  on(event: "metadata", listener: (metadata: Metadata) => void): unknown;
}

/** Cancels the call when the signal aborts. @returns a function that removes the listener. */
function cancelOnAbort(call: { cancel(): void }, signal: AbortSignal | undefined): () => void {
  const cancel = (): void => call.cancel();
  if (signal?.aborted) cancel();
  else signal?.addEventListener("abort", cancel, { once: true });
  return () => signal?.removeEventListener("abort", cancel);
}

function callOptions(timeoutMs: number | undefined): CallOptions {
  return timeoutMs === undefined || timeoutMs <= 0 ? {} : { deadline: Date.now() + timeoutMs };
}

function metadataFrom(header: HeadersInit | undefined): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of new Headers(header)) metadata.add(name, value);
  return metadata;
}

function copyMetadata(metadata: Metadata, target: Headers): void {
  for (const [name, value] of Object.entries(metadata.getMap())) {
    target.set(name, typeof value === "string" ? value : value.toString("base64"));
  }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number" && "metadata" in error;
}

/** The status with its details, as Connect's own client would report it; grpc-js leaves the details in the trailers. */
function connectErrorFromService(error: ServiceError): ConnectError {
  const trailers = new Headers({
    "grpc-status": String(error.code),
    "grpc-message": encodeURIComponent(error.details),
  });
  const details = error.metadata?.get("grpc-status-details-bin")[0];
  if (details !== undefined) trailers.set("grpc-status-details-bin", Buffer.from(details).toString("base64"));
  const status = findTrailerError(trailers) ?? new ConnectError(error.details, Code.Unknown);
  status.cause = error;
  return status;
}
