import type { BytesProgress } from "../ports/index.ts";

/** One HTTP request. */
export interface HttpRequest {
  readonly method: "GET" | "PUT" | "POST";
  readonly url: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Borrowed until the exchange settles. */
  readonly body?: Uint8Array | string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of bytes handed to the network so far, if the client can tell. */
  readonly onUploadProgress?: BytesProgress | undefined;
}

/** One HTTP response, as soon as its headers have arrived. */
export interface HttpResponse {
  readonly status: number;
  /** Value of a header, by its lower-case name. */
  header(name: string): string | null | undefined;
  /** The body in slices, read once; leaving the loop early ends the connection. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** All that the http transport needs of an HTTP client. Follows no redirects. Rejects with the error that the client throws. */
export type HttpExchange = (request: HttpRequest) => Promise<HttpResponse>;
