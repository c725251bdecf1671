import { connect, createServer, type Socket } from "node:net";

/**
 * Where the next connection breaks: before the server gets COMMIT, before the client gets the answer to it, or as soon as it is made, with the
 * server's error in one packet with its "ready".
 */
export type Cut = "before-commit" | "before-answer" | "when-made";

/** A TCP proxy in front of PostgreSQL that cuts connections at the worst moments. */
export interface CuttingProxy {
  /** The database's address, by way of the proxy. */
  readonly url: string;
  /** Cuts the next connection that comes to that point. */
  arm(cut: Cut): void;
  /** Cuts all connections now; new ones are accepted. */
  cutAll(): void;
  /** Passes nothing on from now on, like a frozen server: connections stay and new ones are accepted. What is held goes on after `thaw()`. */
  freeze(): void;
  thaw(): void;
  /** How many were cut. */
  readonly cutCount: number;
  close(): Promise<void>;
}

const COMMIT = Buffer.from("COMMIT\0");

/** ReadyForQuery outside a transaction. https://www.postgresql.org/docs/current/protocol-message-formats.html */
const READY = Buffer.from("Z\0\0\0\x05I");

/** ErrorResponse of a server that goes down. */
const FAREWELL = errorResponse("SFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0");

function errorResponse(fields: string): Buffer {
  const message = Buffer.alloc(5 + fields.length, `E\0\0\0\0${fields}`, "latin1");
  message.writeInt32BE(4 + fields.length, 1);
  return message;
}

export async function startCuttingProxy(url: string): Promise<CuttingProxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let armed: Cut | undefined;
  let cutCount = 0;
  let frozen = false;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port || 5432), target.hostname);
    const destroy = (): void => {
      client.destroy();
      upstream.destroy();
    };
    const cut = (): void => {
      armed = undefined;
      cutCount++;
      destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", destroy);
      socket.on("close", () => {
        sockets.delete(socket);
        destroy();
      });
    }
    client.on("data", (data) => {
      if (armed === "before-commit" && data.includes(COMMIT)) cut();
      else upstream.write(data);
    });
    upstream.on("data", (data) => {
      // The answer to COMMIT is the command tag of the same name.
      if (armed === "before-answer" && data.includes(COMMIT)) cut();
      else if (armed === "when-made" && data.subarray(-READY.length).equals(READY)) {
        armed = undefined;
        cutCount++;
        client.end(Buffer.concat([data, FAREWELL]));
      } else client.write(data);
    });
    // After the listeners, which make the sockets flow.
    if (frozen) for (const socket of [client, upstream]) socket.pause();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  const proxied = new URL(url);
  proxied.hostname = "127.0.0.1";
  proxied.port = String(address.port);
  return {
    url: proxied.href,
    arm(cut) {
      armed = cut;
    },
    cutAll() {
      for (const socket of sockets) socket.destroy();
    },
    freeze() {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    thaw() {
      frozen = false;
      for (const socket of sockets) socket.resume();
    },
    get cutCount() {
      return cutCount;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
