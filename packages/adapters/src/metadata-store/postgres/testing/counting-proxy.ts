import { connect, createServer, type Socket } from "node:net";

/** A TCP proxy in front of PostgreSQL that acts as if far away from its clients, and counts how often they wait for it. */
export interface CountingProxy {
  /** The database's address, by way of the proxy. */
  readonly url: string;
  /**
   * Round trips of all connections until now, without those of connecting: how often statements were sent that may depend on an answer. Statements
   * that were sent before any of them was answered count as one.
   */
  readonly roundTripCount: number;
  close(): Promise<void>;
}

/** Messages that the server answers with one ReadyForQuery each. https://www.postgresql.org/docs/current/protocol-message-formats.html */
const QUERY = 0x51;
const SYNC = 0x53;
const READY = 0x5a;

/** @param delayMs how long each way takes, in ms. Above 0, so that what a client sends in one turn arrives before the first answer goes back. */
export async function startCountingProxy(databaseUrl: string, delayMs = 2): Promise<CountingProxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let roundTripCount = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port || 5432), target.hostname);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        setTimeout(() => other.destroy(), delayMs);
      });
    }
    // The round trip of each statement that has no answer, of the newest answer that was passed on, and the last one that was counted.
    const waiting: number[] = [];
    let answered = -1;
    let counted = 0;
    const fromClient = messageTypes("startup");
    const fromServer = messageTypes("message");
    client.on("data", (data) => {
      for (const type of fromClient(data)) {
        if (type !== QUERY && type !== SYNC) continue;
        waiting.push(answered + 1);
        if (answered < counted) continue;
        counted = answered + 1;
        roundTripCount++;
      }
      setTimeout(() => upstream.write(data), delayMs);
    });
    upstream.on("data", (data) => {
      const readyCount = fromServer(data).filter((type) => type === READY).length;
      setTimeout(() => {
        client.write(data);
        // The first one ends the start of the connection.
        for (let index = 0; index < readyCount; index++) answered = answered < 0 ? 0 : (waiting.shift() ?? answered);
      }, delayMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  const proxied = new URL(databaseUrl);
  proxied.hostname = "127.0.0.1";
  proxied.port = String(address.port);
  return {
    url: proxied.href,
    get roundTripCount() {
      return roundTripCount;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Reads the types of the messages of one direction, however they are cut. @param first a startup message has no type. */
function messageTypes(first: "startup" | "message"): (data: Buffer) => number[] {
  let header = first === "startup" ? 0 : 1;
  let rest = Buffer.alloc(0);
  return (data) => {
    const types: number[] = [];
    rest = Buffer.concat([rest, data]);
    while (rest.length >= header + 4) {
      const end = header + rest.readInt32BE(header);
      if (rest.length < end) break;
      if (header === 1) types.push(rest[0] ?? 0);
      header = 1;
      rest = rest.subarray(end);
    }
    return types;
  };
}
