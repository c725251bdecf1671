import type { Socket } from "node:net";

/** First bytes of HTTP/2 with prior knowledge (RFC 9113 §3.4). No HTTP/1.1 method begins like this. */
const PREFACE = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/**
 * Finds out from its first bytes which protocol a cleartext connection speaks, puts them back, and hands the connection to `dispatch`.
 *
 * @param timeoutMs a socket that has not shown its protocol by then is destroyed; so is one that fails or ends before.
 */
export function sniffProtocol(
  socket: Socket,
  timeoutMs: number,
  dispatch: (protocol: "http1" | "http2", socket: Socket) => void,
): void {
  const received: Uint8Array[] = [];
  let receivedBytes = 0;
  const giveUp = (): void => void socket.destroy();
  const timer = setTimeout(giveUp, timeoutMs);
  const release = (): void => {
    clearTimeout(timer);
    socket.off("data", onData);
    socket.off("error", giveUp);
    socket.off("end", giveUp);
    socket.off("close", release);
  };
  const onData = (bytes: Buffer): void => {
    received.push(bytes);
    receivedBytes += bytes.byteLength;
    const start = received.length === 1 ? bytes : Buffer.concat(received);
    const matches = prefaceMatch(start);
    if (matches && receivedBytes < PREFACE.byteLength) return;
    release();
    // Paused, so that nothing flows before the protocol's own listeners are in place.
    socket.pause();
    socket.unshift(start);
    dispatch(matches ? "http2" : "http1", socket);
    process.nextTick(() => {
      if (!socket.destroyed) socket.resume();
    });
  };
  socket.on("data", onData);
  socket.once("error", giveUp);
  socket.once("end", giveUp);
  socket.once("close", release);
}

/** Whether the bytes, as far as they go, are those of the preface. */
function prefaceMatch(bytes: Uint8Array): boolean {
  const length = Math.min(bytes.byteLength, PREFACE.byteLength);
  for (let index = 0; index < length; index++) if (bytes[index] !== PREFACE[index]) return false;
  return true;
}
