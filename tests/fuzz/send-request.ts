import { type ClientHttp2Session, connect as connectHttp2, constants } from "node:http2";
import { connect } from "node:net";
import type { FuzzRequest } from "./fuzz-request.ts";

/** How a request ended. */
export interface FuzzOutcome {
  /** HTTP status; 0 where there was no answer. */
  readonly status: number;
  readonly headers: string;
  readonly body: string;
  /** Of gRPC, from the trailers. */
  readonly grpcStatus: string | undefined;
}

/** No request of a fuzz run takes longer, even on the slowest machine: it hangs. */
const END_MAX_MS = 90_000;
const SLOW_PAUSE_MS = 5;
const BODY_KEPT = 4000;

/** Sends requests one after the other; its HTTP/2 connection is kept between them. */
export interface FuzzSender {
  /** @throws if the request has no end. */
  send(url: string, request: FuzzRequest): Promise<FuzzOutcome>;
  close(): void;
}

export function createFuzzSender(): FuzzSender {
  const sessions = new Map<string, ClientHttp2Session>();
  const sessionFor = (url: string): ClientHttp2Session => {
    const known = sessions.get(url);
    if (known !== undefined && !known.closed && !known.destroyed) return known;
    const session = connectHttp2(url);
    session.on("error", () => {});
    sessions.set(url, session);
    return session;
  };
  return {
    async send(url, request) {
      const ended = request.wire === "http1" ? sendHttp1(url, request) : sendHttp2(sessionFor(url), request);
      let timer: NodeJS.Timeout | undefined;
      const hang = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no end within ${END_MAX_MS} ms`)), END_MAX_MS);
      });
      return await Promise.race([ended, hang]).finally(() => clearTimeout(timer));
    },
    close() {
      for (const session of sessions.values()) session.destroy();
    },
  };
}

const half = (body: Uint8Array): Uint8Array => body.subarray(0, Math.floor(body.byteLength / 2));

async function sendHttp1(url: string, request: FuzzRequest): Promise<FuzzOutcome> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  const pieces: Buffer[] = [];
  let keptBytes = 0;
  socket.on("error", () => {});
  socket.on("data", (piece: Buffer) => {
    if (keptBytes < BODY_KEPT) pieces.push(piece);
    keptBytes += piece.byteLength;
    if (request.manner === "cut-at-answer") socket.destroy();
  });
  socket.once("end", () => socket.end());
  // Not events.once, which fails if a server closes before everything is sent.
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const head = Buffer.from(headOf(request), "latin1");
  const { body, manner, raw } = request;
  if (raw !== undefined) socket.end(raw);
  else if (manner === "half-closed") socket.end(Buffer.concat([head, half(body)]));
  else if (manner === "half-cut" || manner === "reset") {
    socket.write(Buffer.concat([head, half(body)]), () =>
      manner === "reset" ? socket.resetAndDestroy() : socket.destroy(),
    );
  } else if (manner === "slow") await writeSlowly(socket, Buffer.concat([head, body]));
  else socket.write(Buffer.concat([head, body]));
  await closed;
  const text = Buffer.concat(pieces).toString("latin1");
  const answer = text.replace(/^(HTTP\/1\.1 100 [^\r]*\r\n\r\n)+/, "");
  const split = answer.indexOf("\r\n\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
  const responseBody = split < 0 ? "" : answer.slice(split + 4);
  const grpcStatus = /grpc-status: ?(\d+)/i.exec(answer)?.[1];
  return { status, headers: split < 0 ? answer : answer.slice(0, split), body: responseBody, grpcStatus };
}

function headOf({ method, path, headers, body }: FuzzRequest): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  return `${[`${method} ${path} HTTP/1.1`, "host: fuzz", "connection: close", `content-length: ${body.byteLength}`, ...lines].join("\r\n")}\r\n\r\n`;
}

async function writeSlowly(
  target: NodeJS.WritableStream & { readonly destroyed?: boolean },
  bytes: Uint8Array,
): Promise<void> {
  const step = Math.max(1, Math.ceil(bytes.byteLength / 6));
  for (let start = 0; start < bytes.byteLength && target.destroyed !== true; start += step) {
    target.write(bytes.subarray(start, start + step));
    await new Promise((resolve) => setTimeout(resolve, SLOW_PAUSE_MS));
  }
}

async function sendHttp2(session: ClientHttp2Session, request: FuzzRequest): Promise<FuzzOutcome> {
  const headers: Record<string, string> = { ":method": request.method, ":path": request.path, te: "trailers" };
  for (const [name, value] of request.headers) if (name !== "expect") headers[name] = value;
  const stream = session.request(headers, { endStream: false });
  let status = 0;
  let answerHeaders = "";
  let grpcStatus: string | undefined;
  const pieces: Buffer[] = [];
  let keptBytes = 0;
  const closed = new Promise<void>((resolve) => stream.once("close", () => resolve()));
  stream.on("error", () => {});
  stream.on("response", (received) => {
    status = Number(received[":status"]);
    grpcStatus = received["grpc-status"] as string | undefined;
    answerHeaders = JSON.stringify(received);
    if (request.manner === "cut-at-answer") stream.close(constants.NGHTTP2_CANCEL);
  });
  stream.on("trailers", (trailers) => {
    grpcStatus = String(trailers["grpc-status"] ?? grpcStatus);
  });
  stream.on("data", (piece: Buffer) => {
    if (keptBytes < BODY_KEPT) pieces.push(piece);
    keptBytes += piece.byteLength;
  });
  const { body, manner } = request;
  if (manner === "half-closed") stream.end(half(body));
  else if (manner === "half-cut") {
    stream.write(half(body));
    setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), SLOW_PAUSE_MS);
  } else if (manner === "reset") {
    stream.end(body);
    stream.close(constants.NGHTTP2_CANCEL);
  } else if (manner === "slow") {
    await writeSlowly(stream, body);
    stream.end();
  } else stream.end(body);
  await closed;
  const text = Buffer.concat(pieces).toString("latin1");
  grpcStatus ??= /grpc-status: ?(\d+)/i.exec(text)?.[1];
  return { status, headers: answerHeaders, body: text, grpcStatus };
}
