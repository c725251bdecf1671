import { createServer as createHttp1Server, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo, Server, Socket } from "node:net";
import { ChunkService } from "@ashlar/sdk/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";

/** A small server on a free loopback port. */
export interface TestServer {
  readonly url: string;
  /** Connections that are open now. */
  connectionCount(): number;
  /** Cuts every connection and keeps listening. */
  cut(): void;
  close(): Promise<void>;
}

type RequestListener = Parameters<typeof createHttp1Server>[1] & ((request: never, response: never) => void);

/** A gRPC server over cleartext HTTP/2 with the handlers given: Connect's own adapter, none of our server code. */
export function startGrpcServer(service: Partial<ServiceImpl<typeof ChunkService>>): Promise<TestServer> {
  const listener = connectNodeAdapter({
    routes: (router) => router.service(ChunkService, service),
    acceptCompression: [],
    readMaxBytes: 64 * 1024 * 1024,
  });
  return startServer(createHttp2Server({ maxSessionMemory: 256 }, marked(listener as never)));
}

/** A plain HTTP/1.1 server. */
export function startHttpServer(listener: RequestListener): Promise<TestServer> {
  return startServer(createHttp1Server(marked(listener)));
}

/** Adds the header by which clients recognise our servers. */
function marked(listener: RequestListener): never {
  const withHeader = (request: never, response: ServerResponse): void => {
    response.setHeader("ashlar-request-id", "r1");
    listener(request, response as never);
  };
  return withHeader as never;
}

async function startServer(server: Server): Promise<TestServer> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("session", (session: ServerHttp2Session) => session.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connectionCount: () => sockets.size,
    cut,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}
