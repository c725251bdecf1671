import { fromNetworkError } from "../internal/network-error.ts";
import { LIMITS } from "../limits.ts";
import type { Endpoint, WriteOptions } from "../ports/index.ts";
import { type AuthorizedCallOptions, createConnection } from "./connection.ts";
import { foreignAnswer } from "./foreign-server.ts";
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

export function createHttpConnection(endpoint: Endpoint, exchange: HttpExchange): HttpConnection {
  const connection = createConnection({ endpoint, errorFrom: fromNetworkError });
  const send: HttpConnection["send"] = (options, { path, headers, read, ...rest }) =>
    connection.run(options, async (own, signal) => {
      const response = await exchange({
        ...rest,
        url: endpoint.url + path,
        headers: { ...headers, ...own },
        signal,
      });
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
        headers: { "content-type": "application/json", "connect-protocol-version": "1" },
        body: JSON.stringify(request),
        read: readJson,
      }),
    close: () => connection.close(),
  };
}

/** A JSON answer of at most CONTROL_MESSAGE_MAX_BYTES. */
export async function readJson(response: HttpResponse): Promise<JsonMessage> {
  const bytes = await readBody(response, { maxBytes: LIMITS.CONTROL_MESSAGE_MAX_BYTES });
  return messageFrom(JSON.parse(new TextDecoder().decode(bytes)));
}
