import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Transform } from "node:stream";

/** A TCP relay in front of a server, that can be slowed down and cut. */
export interface TcpProxy {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  /** Bytes that went from clients to the server, and back, so far. */
  readonly upBytes: number;
  readonly downBytes: number;
  /** Limits each connection and direction to this many bytes a second from now on; `undefined`: no limit. */
  throttle(bytesPerSecond: number | undefined): void;
  /** Breaks every connection with a reset. New ones are accepted. */
  cut(): void;
  /** Breaks every connection and accepts no new ones until `resume()`. */
  stop(): void;
  resume(): void;
  /** Drops the answers of servers from now on, but keeps connections open: clients wait until `cut()`. */
  swallowAnswers(swallow: boolean): void;
  /** Forwards nothing from now on, like a frozen server: connections stay and new ones are accepted. What was held goes on after `thaw()`. */
  freeze(): void;
  thaw(): void;
  /** Sends new connections to another server. */
  redirect(targetUrl: string): void;
  close(): Promise<void>;
}

const PIECE_BYTES = 16 * 1024;

/** @param targetUrl base URL of the server; may be set later with `redirect`, when its port is known. */
export async function startTcpProxy(targetUrl?: string): Promise<TcpProxy> {
  let target = targetUrl === undefined ? undefined : new URL(targetUrl);
  let bytesPerSecond: number | undefined;
  let accepting = true;
  let swallowing = false;
  let frozen: Promise<void> | undefined;
  let melt = (): void => {};
  let upBytes = 0;
  let downBytes = 0;
  const sockets = new Set<Socket>();
  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {}); // the proxy cuts connections on purpose
    socket.on("close", () => sockets.delete(socket));
  };
  const relay = (from: Socket, to: Socket, count: (bytes: number) => void, drop = (): boolean => false): void => {
    // When the next byte may go. Timers round up, so short waits add up until a timer is worth it.
    let dueAtMs = 0;
    const limiter = new Transform({
      highWaterMark: PIECE_BYTES,
      async transform(bytes: Uint8Array, _encoding, done) {
        for (let offset = 0; offset < bytes.byteLength; offset += PIECE_BYTES) {
          const piece = bytes.subarray(offset, offset + PIECE_BYTES);
          if (bytesPerSecond !== undefined) {
            dueAtMs = Math.max(dueAtMs, performance.now()) + (piece.byteLength / bytesPerSecond) * 1000;
            const waitMs = dueAtMs - performance.now();
            if (waitMs > 4) await sleep(waitMs);
          }
          await frozen;
          count(piece.byteLength);
          if (!drop()) this.push(piece);
        }
        done();
      },
    });
    from.pipe(limiter).pipe(to);
    from.on("close", () => to.destroy());
  };
  const server = createServer((client) => {
    track(client);
    if (!accepting || target === undefined) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect(Number(target.port), target.hostname);
    track(upstream);
    relay(client, upstream, (bytes) => {
      upBytes += bytes;
    });
    const countDown = (bytes: number): void => {
      downBytes += bytes;
    };
    relay(upstream, client, countDown, () => swallowing);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get upBytes() {
      return upBytes;
    },
    get downBytes() {
      return downBytes;
    },
    throttle(limit) {
      bytesPerSecond = limit;
    },
    cut,
    stop() {
      accepting = false;
      cut();
    },
    resume() {
      accepting = true;
    },
    swallowAnswers(swallow) {
      swallowing = swallow;
    },
    freeze() {
      frozen ??= new Promise((resolve) => {
        melt = resolve;
      });
    },
    thaw() {
      frozen = undefined;
      melt();
    },
    redirect(url) {
      target = new URL(url);
    },
    async close() {
      cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
