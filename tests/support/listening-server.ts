import type { ServerHttp2Session } from "node:http2";
import type { AddressInfo, Server, Socket } from "node:net";

/** A server of a test's own, on a free port. It can be closed even if clients keep connections open. */
export interface ListeningServer {
  readonly url: string;
  readonly socketCount: () => number;
  close(): Promise<void>;
}

export async function listen(server: Server): Promise<ListeningServer> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("session", (session: ServerHttp2Session) => session.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    socketCount: () => sockets.size,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
