import type { BytesProgress } from "../ports/index.ts";

/**
 * A `fetch` over XMLHttpRequest: the one way for a browser to tell how much of an upload has left. For requests with small answers, which arrive whole.
 *
 * As with `redirect: "manual"`, an answer from elsewhere is one without status or headers. Browsers tell of progress at most every 100 ms or so.
 *
 * @param onProgress bytes of the body that were handed to the network so far.
 */
export function createXhrFetch(onProgress: BytesProgress): typeof globalThis.fetch {
  return (url, { method, headers, body, signal } = {}) =>
    new Promise((resolve, reject) => {
      const xhr = new XMLHttpRequest();
      const stop = (reason: unknown): void => {
        xhr.abort();
        reject(reason);
      };
      const abort = (): void => stop(signal?.reason);
      // The words by which transports know that a server went away (network-error.ts).
      const fail = (): void => reject(new TypeError("network error"));
      xhr.open(method ?? "GET", String(url));
      xhr.responseType = "arraybuffer";
      for (const [name, value] of new Headers(headers)) xhr.setRequestHeader(name, value);
      xhr.upload.onprogress = ({ loaded }) => {
        try {
          onProgress(loaded);
        } catch (error) {
          stop(error);
        }
      };
      // An answer from elsewhere is none, as a redirect that fetch did not follow.
      xhr.onload = () => resolve(xhr.responseURL === new URL(String(url)).href ? responseOf(xhr) : Response.error());
      xhr.onerror = fail;
      xhr.onloadend = () => signal?.removeEventListener("abort", abort);
      if (signal?.aborted) return abort();
      signal?.addEventListener("abort", abort);
      xhr.send((body as XMLHttpRequestBodyInit | undefined) ?? null);
    });
}

function responseOf(xhr: XMLHttpRequest): Response {
  const headers = new Headers();
  for (const line of xhr.getAllResponseHeaders().split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1));
  }
  // A Response refuses a body, were it empty, for 204 and its like.
  return new Response(xhr.response.byteLength > 0 ? xhr.response : null, { status: xhr.status, headers });
}
