import { AshlarError } from "../errors/index.ts";
import type { HttpExchange } from "./http-exchange.ts";

/** HTTP over XMLHttpRequest: the one way for a browser to tell how much of an upload has left. For requests with small answers. */
export const xhrExchange: HttpExchange = ({ method, url, headers, body, signal, onUploadProgress }) =>
  new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const abort = (): void => xhr.abort();
    xhr.open(method, url);
    xhr.responseType = "arraybuffer";
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    xhr.upload.onprogress = (event) => onUploadProgress?.(event.loaded);
    xhr.onload = () =>
      resolve({ status: xhr.status, header: (name) => xhr.getResponseHeader(name), body: one(xhr.response) });
    xhr.onerror = () => reject(new AshlarError("NODE_UNAVAILABLE", "the server cannot be reached or went away"));
    xhr.onabort = () => reject(new AshlarError("CANCELED", "the operation was aborted"));
    xhr.onloadend = () => signal?.removeEventListener("abort", abort);
    signal?.addEventListener("abort", abort);
    xhr.send((body as XMLHttpRequestBodyInit | undefined) ?? null);
  });

async function* one(buffer: ArrayBuffer): AsyncGenerator<Uint8Array, void, undefined> {
  yield new Uint8Array(buffer);
}
