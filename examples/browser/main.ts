/**
 * Starts everything that the page needs, on this machine only: a real store, the app's own server, and the page as Vite builds it.
 *
 *     node main.ts [--cluster] [--gateway <url>] [--port <port>] [--path <folder>] [--dev]
 */
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { createAppServer } from "./server/app-server.ts";
import { openStore } from "./server/open-store.ts";
import { builtPage, developmentPage } from "./server/page.ts";
import type { Store } from "./server/store.ts";

const USAGE = `usage: npm run example:browser -- [options]
  --cluster         six storage nodes and a gateway instead of one server
  --gateway <url>   a store that runs already; its API key in ASHLAR_API_KEY, and the page among its --cors-origins
  --port <port>     port of the page, default 5173
  --path <folder>   where the store's data is, default .ashlar-browser
  --token-life <s>  life of the page's access tokens in seconds, default 300
  --dev             the page by Vite's development server, which reloads it when a source changes`;

const values = readArguments();
if (values.help) console.log(USAGE);
else await start().catch((error: Error) => end(`example:browser: ${error.message}`, 1));

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        cluster: { type: "boolean", default: false },
        gateway: { type: "string" },
        port: { type: "string", default: "5173" },
        path: { type: "string", default: ".ashlar-browser" },
        "token-life": { type: "string", default: "300" },
        dev: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const { port, gateway, "token-life": life } = values;
    if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw new Error(`--port ${port} is no port number`);
    if (!/^[1-9]\d*$/.test(life)) throw new Error(`--token-life ${life} is no number of seconds`);
    if (gateway !== undefined && !/^https?:/.test(URL.parse(gateway)?.protocol ?? "")) {
      throw new Error(`--gateway ${gateway} is no address such as http://127.0.0.1:9000`);
    }
    return values;
  } catch (error) {
    return end(`example:browser: ${(error as Error).message}\n${USAGE}`, 2);
  }
}

/** Ends with the message in one line, without a stack trace. */
function end(message: string, exitCode: number): never {
  console.error(message);
  process.exit(exitCode);
}

async function start(): Promise<void> {
  const app = createAppServer();
  // The page's address comes first: the store has to know which origins may call it.
  const page = await app.listen(Number(values.port));
  const closing = untilSignal();
  let store: Store | undefined;
  try {
    app.servePage(await (values.dev ? developmentPage(app.server) : builtPage(join(values.path, "page"))));
    store = await openStore({
      kind: values.gateway === undefined ? (values.cluster ? "cluster" : "serve") : "given",
      url: values.gateway,
      path: values.path,
      pageOrigins: page.origins,
    });
    await app.serveSessions(store, { tokenMs: Number(values["token-life"]) * 1000 });
    console.log(`store   ${store.description}`);
    console.log(`page    ${page.url}\n\nOpen the page. Ctrl-C stops everything.`);
    await Promise.race([closing, store.ended]);
  } finally {
    await app.close();
    await store?.close();
  }
  // Vite still watches files, so the process would not end by itself.
  process.exit();
}

function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve());
  });
}
