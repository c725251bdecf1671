import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { ExchangeEnd } from "./exchange.ts";

/** A response of Node's HTTP/1.1 or HTTP/2 server. */
export type NodejsResponse = ServerResponse | Http2ServerResponse;

/** Whether a response belongs to HTTP/2. */
export function isHttp2(response: NodejsResponse): response is Http2ServerResponse {
  return "stream" in response;
}

/**
 * Calls `listener` once when an answer is over, and says how it ended.
 *
 * This is the only place that knows it. On HTTP/2 the compatibility response cannot be asked: Node ends the writable side of a stream that was
 * reset, so `writableFinished` is true after a reset, and there is no `destroyed`. The stream has `aborted` (reset before we ended it) and the
 * code of the reset.
 */
export function onAnswerEnd(response: NodejsResponse, listener: (end: ExchangeEnd) => void): void {
  if (!isHttp2(response)) {
    response.once("close", () => listener(response.writableFinished ? "sent" : "cut"));
    return;
  }
  const { stream } = response;
  let told = false;
  const tell = (): void => {
    if (told) return;
    told = true;
    const whole = response.writableEnded && !stream.aborted && stream.rstCode === 0 && stream.writableFinished;
    listener(whole ? "sent" : "cut");
  };
  if (stream.destroyed) queueMicrotask(tell);
  else {
    stream.once("close", tell);
    // After a reset with NO_ERROR Node waits for the end of writes that can never end, and no "close" comes.
    stream.once("aborted", () => {
      tell();
      // Not at once: our own reset, with its own code, may be on its way when this event comes.
      setImmediate(() => stream.destroy());
    });
  }
}

/** Whether nothing more can be written. */
export function isAnswerOver(response: NodejsResponse): boolean {
  return isHttp2(response) ? response.stream.destroyed || response.stream.closed : response.destroyed;
}
