import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createSessions, type Sessions } from "./sessions.ts";
import type { Store } from "./store.ts";

/** What answers requests for the page's files. */
export type PageHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** The app's own server: serves the page, and gives the page short-lived access to the store. */
export interface AppServer {
  readonly server: Server;
  /** Listens on the port, or on the next free one. */
  listen(port: number): Promise<{ readonly url: string; readonly origins: readonly string[] }>;
  servePage(page: PageHandler): void;
  /** Prepares the bucket; from then on the page gets sessions. */
  serveSessions(store: Store, options: { readonly tokenMs: number }): Promise<void>;
  close(): Promise<void>;
}

const HOST = "127.0.0.1";
const PORTS_TRIED = 20;

export function createAppServer(): AppServer {
  let page: PageHandler | undefined;
  let sessions: Sessions | undefined;
  const server = createServer((request, response) => {
    if (request.url === "/api/session") void answerSession(request, response, sessions);
    else if (page === undefined) response.writeHead(503, { "retry-after": "1" }).end("starting\n");
    else page(request, response);
  });
  return {
    server,
    async listen(port) {
      const { port: taken } = await listenFrom(server, port);
      return { url: `http://${HOST}:${taken}/`, origins: [`http://${HOST}:${taken}`, `http://localhost:${taken}`] };
    },
    servePage(handler) {
      page = handler;
    },
    async serveSessions(store, { tokenMs }) {
      sessions = await createSessions(store, tokenMs);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await sessions?.close();
    },
  };
}

/**
 * A real app first finds out here who is asking, by its own log-in, and what that user may see. This one only refuses other web sites: browsers say
 * with every request where it comes from.
 */
async function answerSession(
  request: IncomingMessage,
  response: ServerResponse,
  sessions: Sessions | undefined,
): Promise<void> {
  const answer = (status: number, body: object): void => {
    response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
    response.end(JSON.stringify(body));
  };
  if (request.method !== "POST") return answer(405, { error: "ask with POST" });
  const { host = "", "sec-fetch-site": site = "same-origin" } = request.headers;
  const ownName = /^(127\.0\.0\.1|localhost):\d+$/.test(host);
  if (!ownName || site !== "same-origin") return answer(403, { error: "only this app's own page may ask" });
  if (sessions === undefined) return answer(503, { error: "the store is starting" });
  try {
    answer(200, await sessions.create());
  } catch (error) {
    console.error(error);
    answer(502, { error: "the store gives no access now" });
  }
}

async function listenFrom(server: Server, port: number): Promise<AddressInfo> {
  for (let tried = 0; ; tried++) {
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port === 0 ? 0 : port + tried, HOST, () => {
          server.off("error", reject);
          resolve();
        });
      });
      return server.address() as AddressInfo;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE" || tried === PORTS_TRIED) throw error;
    }
  }
}
