import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { HttpResponse } from "./http-handler.ts";

/** A response of Node's HTTP/1.1 or HTTP/2 server. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** Headers that belong to a connection; HTTP/2 forbids them (RFC 9113 §8.2.2). */
const CONNECTION_HEADERS = ["connection", "keep-alive", "transfer-encoding", "upgrade"];

/**
 * Writes an answer with backpressure.
 *
 * Headers go out with the first bytes of the body, because a handler may set headers until then. The body's iterator is returned on every
 * way out.
 *
 * @throws whatever the body throws after its first bytes were asked for, and if the client goes away.
 */
export async function writeResponse(nodeResponse: NodeResponse, response: HttpResponse): Promise<void> {
  const { body } = response;
  if (body === undefined || body instanceof Uint8Array) {
    const head = nodeHeaders(response.header, nodeResponse);
    if (body !== undefined && head["content-length"] === undefined) head["content-length"] = body.byteLength;
    writeHead(nodeResponse, response.status, head);
    writeTrailer(nodeResponse, response.trailer);
    end(nodeResponse, body);
    return;
  }
  const iterator = body[Symbol.asyncIterator]();
  try {
    let next = await iterator.next();
    if (nodeResponse.destroyed) throw new Error("the client went away");
    writeHead(nodeResponse, response.status, nodeHeaders(response.header, nodeResponse));
    for (; next.done !== true; next = await iterator.next()) {
      if (next.value.byteLength > 0 && !write(nodeResponse, next.value)) await drained(nodeResponse);
      if (nodeResponse.destroyed) throw new Error("the client went away");
    }
    writeTrailer(nodeResponse, response.trailer);
    end(nodeResponse);
  } finally {
    // Not awaited: an iterator that waits for something would not answer.
    iterator.return?.().then(undefined, () => {});
  }
}

// Node types the same methods of both classes differently; called through one of them, they behave alike.
function writeHead(response: NodeResponse, status: number, headers: OutgoingHttpHeaders): void {
  (response as ServerResponse).writeHead(status, headers);
}

function write(response: NodeResponse, bytes: Uint8Array): boolean {
  return (response as ServerResponse).write(bytes);
}

function end(response: NodeResponse, bytes?: Uint8Array): void {
  if (bytes === undefined || bytes.byteLength === 0) response.end();
  else response.end(bytes);
}

function writeTrailer(response: NodeResponse, trailer: Headers | undefined): void {
  if (trailer !== undefined) response.addTrailers(nodeHeaders(trailer, response));
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

function nodeHeaders(header: Headers | undefined, response: NodeResponse): OutgoingHttpHeaders {
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

/** Resolves when the response takes more; rejects when it never will. */
function drained(response: NodeResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const onDrain = (): void => {
      response.off("close", onClose);
      resolve();
    };
    const onClose = (): void => {
      response.off("drain", onDrain);
      reject(new Error("the client went away"));
    };
    response.once("drain", onDrain);
    response.once("close", onClose);
    if (response.destroyed) {
      response.off("drain", onDrain);
      onClose();
    }
  });
}
