import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS, MIB } from "@ashlar/sdk/limits";
import { checkOptions, type Transport } from "@ashlar/sdk/ports";
import { createHttpTransport, type HttpExchange, type HttpRequest } from "@ashlar/sdk/transport/http";
import { Agent, type Dispatcher } from "undici";
import { descriptorShortage } from "../internal/descriptor-shortage.ts";

/** Options of {@link undiciTransport}. */
export interface UndiciTransportOptions {
  /** Connections to one server at most; default 128. HTTP/1.1 carries one request each. */
  readonly connectionsPerServer?: number | undefined;
  /** Certificate authorities in PEM, for servers whose certificate no public authority has signed. */
  readonly ca?: string | undefined;
  /** An agent to use instead of the transport's own; it stays open when the transport closes. */
  readonly dispatcher?: Dispatcher | undefined;
}

const CONNECTIONS_PER_SERVER = 128;
const CONNECT_TIMEOUT_MS = 10_000;
/** Silence of this length in the middle of an answer means a dead connection, also if the server answers others; a slow one keeps sending. */
const SILENCE_MAX_MS = 60_000;
/** Idle connections are kept this long: longer than the pauses of an app, shorter than the idle timeout of common proxies. */
const KEEP_ALIVE_MS = 30_000;
/** Progress is reported once per slice; at 1 GB/s that is 4,000 times a second. */
const PROGRESS_SLICE_BYTES = MIB / 4;

/**
 * Plain HTTP over undici: the fastest transport in Node. HTTP/1.1 on purpose: Node moves bulk bytes 2 to 5 times faster over it than over
 * HTTP/2. Connections are kept and reused; a chunk in flight has one for itself.
 */
export function undiciTransport(options: UndiciTransportOptions = {}): Transport {
  checkOptions(options, { connectionsPerServer: "count", ca: "string", dispatcher: ".request" });
  const own = options.dispatcher === undefined ? createAgent(options) : undefined;
  const dispatcher = options.dispatcher ?? own;
  // All connections of `own` may be taken by calls that wait for a silent server.
  const probes = own && createAgent({ ...options, connectionsPerServer: 1 });
  return createHttpTransport({
    name: "http",
    capabilities: { clientStreaming: false, browser: false, uploadProgress: true },
    exchange: createUndiciExchange(dispatcher as Dispatcher),
    probeExchange: probes && createUndiciExchange(probes),
    async close() {
      // Not close(), which would wait for requests that nobody waits for any more.
      await Promise.all([own?.destroy(), probes?.destroy()]);
    },
  });
}

function createAgent({ connectionsPerServer, ca }: UndiciTransportOptions): Agent {
  return new Agent({
    allowH2: false,
    pipelining: 1,
    connections: connectionsPerServer ?? CONNECTIONS_PER_SERVER,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: LIMITS.ANSWER_SILENCE_MAX_MS,
    bodyTimeout: SILENCE_MAX_MS,
    connect: { timeout: CONNECT_TIMEOUT_MS, ...(ca === undefined ? {} : { ca }) },
  });
}

function createUndiciExchange(dispatcher: Dispatcher): HttpExchange {
  return async (request) => {
    const url = new URL(request.url);
    const response = await dispatcher
      .request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: request.method,
        headers: headersOf(request),
        body: bodyOf(request) ?? null,
        signal: request.signal ?? null,
      })
      .catch((error: unknown): never => {
        throw unreachable(error, url.origin);
      });
    return {
      status: response.statusCode,
      header(name) {
        const value = response.headers[name];
        return Array.isArray(value) ? value[0] : value;
      },
      body: response.body,
    };
  };
}

/** The system's names (ECONNREFUSED, ENOTFOUND, EAI_AGAIN) and undici's for a server that gives no answer. A TLS failure (EPROTO) is none of them. */
const NO_ANSWER = /^(E[A-Z]+|EAI_[A-Z]+|UND_ERR_(SOCKET|[A-Z]+_TIMEOUT))$/;

/** Says which server was called and why it gave no answer; any other error passes, for the rules of all transports. */
function unreachable(error: unknown, url: string): unknown {
  // It says nothing about the server, which must not count as away.
  const shortage = descriptorShortage(error);
  if (shortage !== undefined) return new AshlarError("OVERLOADED", shortage, { cause: error, details: { url } });
  const reason = error instanceof Error && "code" in error ? String(error.code) : "";
  if (AshlarError.is(error) || reason === "EPROTO" || !NO_ANSWER.test(reason)) return error;
  return new AshlarError("NODE_UNAVAILABLE", `the server at ${url} cannot be reached or went away (${reason})`, {
    cause: error,
    details: { url, reason },
  });
}

function headersOf({ headers, body, onUploadProgress }: HttpRequest): Record<string, string> {
  // undici counts bytes by itself, but cannot know how many an iterable has.
  if (typeof body !== "object" || onUploadProgress === undefined) return { ...headers };
  return { ...headers, "content-length": String(body.byteLength) };
}

function bodyOf({ body, onUploadProgress }: HttpRequest): Uint8Array | string | undefined {
  if (typeof body !== "object" || onUploadProgress === undefined) return body;
  // undici takes iterables and waits for the socket to drain between slices; its types do not say so.
  return slicesOf(body, onUploadProgress) as unknown as Uint8Array;
}

function* slicesOf(bytes: Uint8Array, onProgress: (sentBytes: number) => void): Generator<Uint8Array> {
  for (let offset = 0; offset < bytes.byteLength; offset += PROGRESS_SLICE_BYTES) {
    yield bytes.subarray(offset, offset + PROGRESS_SLICE_BYTES);
    onProgress(Math.min(offset + PROGRESS_SLICE_BYTES, bytes.byteLength));
  }
}
