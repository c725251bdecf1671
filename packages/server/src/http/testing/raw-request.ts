import { request as httpRequest, type IncomingHttpHeaders } from "node:http";

/** An answer with its whole body. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
  readonly text: string;
  /** The body as JSON; throws if it is none. */
  json(): Record<string, unknown>;
}

/** Options of {@link rawRequest}. */
export interface RawRequestOptions {
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** A stream goes out chunked unless the headers have a content-length. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Sends one HTTP/1.1 request unchanged: no redirects, no path normalisation, and the answer is seen even while the body is still being sent. */
export function rawRequest(base: string, path: string, options: RawRequestOptions = {}): Promise<RawAnswer> {
  const { method = "GET", headers = {}, body, signal } = options;
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    let answered = false;
    const request = httpRequest({ host: hostname, port, method, path, headers, ...(signal ? { signal } : {}) });
    const closed = new Promise((done) => request.once("close", done));
    request.on("response", (response) => {
      answered = true;
      const pieces: Uint8Array[] = [];
      response.on("data", (piece: Uint8Array) => pieces.push(piece));
      response.on("error", reject);
      response.on("end", () => {
        const bytes = new Uint8Array(Buffer.concat(pieces));
        const text = new TextDecoder().decode(bytes);
        const json = (): Record<string, unknown> => JSON.parse(text);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: bytes, text, json });
        if (!request.writableFinished) request.destroy();
      });
    });
    request.on("error", (error) => {
      if (!answered) reject(error);
    });
    if (body === undefined || body instanceof Uint8Array) request.end(body);
    else {
      void (async () => {
        for await (const piece of body) {
          if (answered || request.destroyed) return;
          if (!request.write(piece)) await Promise.race([new Promise((done) => request.once("drain", done)), closed]);
        }
        request.end();
      })().catch((error: unknown) => request.destroy(error as Error));
    }
  });
}
