import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { HTTP_LIMITS } from "../bounds/http-limits.ts";
import type { BufferPool } from "../buffer-pool.ts";
import type { HttpResponse } from "../http-handler.ts";
import { iteratorOf, type StreamedBody } from "../piece.ts";
import { isAnswerOver, isHttp2, type NodejsResponse } from "./answer-end.ts";
import type { ServedExchange } from "./served-exchange.ts";

/** Headers that belong to a connection; HTTP/2 forbids them (RFC 9113 §8.2.2). */
const CONNECTION_HEADERS = ["connection", "keep-alive", "transfer-encoding", "upgrade"];

/** What the writer of an answer needs to know of its exchange. */
export interface WriteResponseOptions {
  readonly exchange: Pick<ServedExchange, "writing" | "writePace">;
  /** The request was a HEAD: its answer has no body, whatever the handler gave. */
  readonly isHead: boolean;
}

/**
 * Writes an answer with backpressure.
 *
 * Headers go out with the first bytes of the body, because a handler may set headers until then. The body's iterator is returned on every
 * way out, also when the exchange ends while the iterator or the client keeps us waiting.
 *
 * @throws whatever the body throws after its first bytes were asked for, and if the exchange ends.
 */
export async function writeResponse(
  nodejsResponse: NodejsResponse,
  response: HttpResponse,
  { exchange, isHead }: WriteResponseOptions,
): Promise<void> {
  const { body, status } = response;
  const head = nodejsHeaders(response.header, nodejsResponse);
  if (body instanceof Uint8Array && head["content-length"] === undefined) head["content-length"] = body.byteLength;
  if (body === undefined || isHead || status === 204 || status === 304) {
    writeHead(nodejsResponse, status, head);
    writeTrailer(nodejsResponse, response.trailer);
    dropBody(response);
  } else if (body instanceof Uint8Array) {
    writeHead(nodejsResponse, status, head);
    await writeSliced(nodejsResponse, body, exchange);
    writeTrailer(nodejsResponse, response.trailer);
  } else await writePieces(nodejsResponse, { ...response, body }, exchange);
  // From here on we wait for the client to take what is still on its way.
  exchange.writePace.begin();
  nodejsResponse.end();
}

async function writePieces(
  nodejsResponse: NodejsResponse,
  response: HttpResponse & { readonly body: StreamedBody },
  exchange: WriteResponseOptions["exchange"],
): Promise<void> {
  const iterator = iteratorOf(response.body);
  try {
    let next = await exchange.writing.wait(iterator.next());
    assertOpen(nodejsResponse);
    writeHead(nodejsResponse, response.status, nodejsHeaders(response.header, nodejsResponse));
    for (; next.done !== true; next = await exchange.writing.wait(iterator.next())) {
      const slice = next.value;
      if (slice instanceof Uint8Array) await writeSliced(nodejsResponse, slice, exchange);
      else await writeSliced(nodejsResponse, slice.bytes, exchange, slice.giveBack);
    }
    assertOpen(nodejsResponse);
    writeTrailer(nodejsResponse, response.trailer);
  } finally {
    // Not awaited: an iterator that waits for something would not answer.
    iterator.return?.().then(undefined, () => {});
  }
}

/** Closes a body that nobody will read. */
export function dropBody({ body }: Pick<HttpResponse, "body">): void {
  if (body === undefined || body instanceof Uint8Array) return;
  iteratorOf(body)
    .return?.()
    .then(undefined, () => {});
}

/** @param giveBack called once Node has no more use for the bytes, never if they were not written: see {@link BufferPool}. */
async function writeSliced(
  response: NodejsResponse,
  bytes: Uint8Array,
  { writing, writePace }: WriteResponseOptions["exchange"],
  giveBack?: () => void,
): Promise<void> {
  const onWritten = giveBack && ((error?: Error | null) => void (error == null && giveBack()));
  // Over HTTP/1.1 the pace allows for the kernel's megabytes, and smaller slices would cost a fast reader a third of its speed.
  const sliceBytes = isHttp2(response) ? SLICE_BYTES : 16 * SLICE_BYTES;
  for (let start = 0; start < bytes.byteLength; start += sliceBytes) {
    assertOpen(response);
    const slice = bytes.byteLength <= sliceBytes ? bytes : bytes.subarray(start, start + sliceBytes);
    const isLast = start + sliceBytes >= bytes.byteLength;
    if (write(response, slice, isLast ? onWritten : undefined)) continue;
    writePace.begin();
    await writing.wait(drained(response));
    writePace.end(slice.byteLength);
  }
}

function assertOpen(response: NodejsResponse): void {
  if (isAnswerOver(response)) throw new Error("the client went away");
}

// Node types the same methods of both classes differently; called through one of them, they behave alike.
function writeHead(response: NodejsResponse, status: number, headers: OutgoingHttpHeaders): void {
  (response as ServerResponse).writeHead(status, headers);
}

function write(response: NodejsResponse, bytes: Uint8Array, onWritten?: (error?: Error | null) => void): boolean {
  return (response as ServerResponse).write(bytes, onWritten);
}

function writeTrailer(response: NodejsResponse, trailer: Headers | undefined): void {
  if (trailer !== undefined) response.addTrailers(nodejsHeaders(trailer, response));
}

/**
 * gRPC asks to escape only what is not printable. Connect escapes `/` and the like too, and @grpc/grpc-js, which decodes with `decodeURI`, would
 * show them as `%2F`.
 */
function grpcMessage(escaped: string): string {
  try {
    return encodeURI(decodeURIComponent(escaped));
  } catch {
    return escaped;
  }
}

function nodejsHeaders(header: Headers | undefined, response: NodejsResponse): OutgoingHttpHeaders {
  const result: OutgoingHttpHeaders = {};
  if (header === undefined) return result;
  header.forEach((value, name) => {
    result[name] = name === "grpc-message" ? grpcMessage(value) : value;
  });
  const cookies = header.getSetCookie();
  if (cookies.length > 0) result["set-cookie"] = cookies;
  if ("stream" in response) for (const name of CONNECTION_HEADERS) delete result[name];
  return result;
}

/** Resolves when the response takes more. The caller's wait is interrupted when the exchange ends, so this need not reject then. */
function drained(response: NodejsResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once("drain", resolve);
  });
}

const SLICE_BYTES = HTTP_LIMITS.WRITE_SLICE_BYTES.value;
