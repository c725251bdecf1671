import { fromNetworkError } from "../internal/network-error.ts";
import * as LIMITS from "../limit-values.ts";
import type { Endpoint, WriteOptions } from "../ports/index.ts";
import { type AuthorizedCallOptions, createConnection } from "./connection.ts";
import { expectSignOfLife, foreignAnswer, HEALTH_CHECK_PATH } from "./foreign-server.ts";
import { readBody } from "./http-body.ts";
import { errorFromResponse } from "./http-error.ts";
import type { HttpExchange, HttpRequest, HttpResponse } from "./http-exchange.ts";
import { type JsonMessage, messageFrom } from "./proto-json.ts";

/** A request below the endpoint's URL, without its authorization. */
export interface HttpCall<T> extends Omit<HttpRequest, "url" | "signal"> {
  /** Begins with a slash. */
  readonly path: string;
  /** Reads the body of a 2xx answer. */
  readonly read: (response: HttpResponse) => Promise<T>;
}

/** One server over plain HTTP, with the error and abort rules of all transports. */
export interface HttpConnection {
  readonly endpoint: Endpoint;
  send<T>(options: AuthorizedCallOptions | undefined, call: HttpCall<T>): Promise<T>;
  /** A unary RPC in Connect's JSON. @param method `<Service>/<Method>` within the package ashlar.v1. */
  rpc(method: string, request: object, options: WriteOptions | undefined): Promise<JsonMessage>;
  close(): Promise<void>;
}

/** Headers of a unary RPC in Connect's JSON. */
const JSON_RPC = Object.freeze({ "content-type": "application/json", "connect-protocol-version": "1" });

/** @param probeExchange for a call that must not wait for other calls; default `exchange`. */
export function createHttpConnection(
  endpoint: Endpoint,
  exchange: HttpExchange,
  probeExchange: HttpExchange = exchange,
): HttpConnection {
  const connection = createConnection({
    endpoint,
    errorFrom: fromNetworkError,
    async probe(signal) {
      const url = endpoint.url + HEALTH_CHECK_PATH;
      const response = await probeExchange({ method: "POST", url, headers: JSON_RPC, body: "{}", signal });
      expectSignOfLife(response, endpoint.url);
      for await (const _ of response.body); // else the client would have to break the connection
    },
  });
  const send: HttpConnection["send"] = (options, { path, headers, read, onUploadProgress, ...rest }) =>
    connection.run(options, async (own, signal, heard) => {
      const report = (sentBytes: number): void => {
        heard();
        onUploadProgress?.(sentBytes);
      };
      const answer = await exchange({
        ...rest,
        onUploadProgress: onUploadProgress && report,
        url: endpoint.url + path,
        headers: { ...headers, ...own },
        signal,
      });
      heard();
      const response = { ...answer, body: heardSlices(answer.body, heard) };
      const foreign = foreignAnswer(response, endpoint.url);
      if (foreign !== undefined) throw foreign;
      if (response.status >= 200 && response.status < 300) return await read(response);
      throw await errorFromResponse(response);
    });
  return {
    endpoint,
    send,
    rpc: (method, request, options) =>
      send(options, {
        method: "POST",
        path: `/ashlar.v1.${method}`,
        headers: JSON_RPC,
        body: JSON.stringify(request),
        read: readJson,
      }),
    close: () => connection.close(),
  };
}

async function* heardSlices(body: AsyncIterable<Uint8Array>, heard: () => void): AsyncGenerator<Uint8Array> {
  for await (const slice of body) {
    heard();
    yield slice;
  }
}

/** A JSON answer of at most CONTROL_MESSAGE_MAX_BYTES. */
export async function readJson(response: HttpResponse): Promise<JsonMessage> {
  const bytes = await readBody(response, { maxBytes: LIMITS.CONTROL_MESSAGE_MAX_BYTES });
  return messageFrom(JSON.parse(new TextDecoder().decode(bytes)));
}
