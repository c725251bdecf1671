import type { BytesProgress } from "../ports/index.ts";

/**
 * A `fetch` over XMLHttpRequest: the only way in a browser to see how much of an upload was sent. For small answers only: they are read whole.
 *
 * As with `redirect: "manual"`, the answer after a redirect has no status and no headers. Browsers report progress at most about once per 100 ms.
 *
 * @param onProgress called with the number of bytes of the body handed to the network so far.
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
      // network-error.ts recognizes a lost connection by this text.
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
      // XMLHttpRequest follows redirects: an answer from another URL counts as a redirect that was not followed.
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
  // For 204 and similar statuses a Response refuses a body, even an empty one.
  return new Response(xhr.response.byteLength > 0 ? xhr.response : null, { status: xhr.status, headers });
}
