import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createApp } from "./app.ts";
import { explainStart } from "./explain-start.ts";
import { openStore } from "./store.ts";

const { PORT = "3000", FILE_MAX_BYTES = "1073741824" } = process.env;

try {
  if (!(Number(FILE_MAX_BYTES) > 0)) throw new Error("FILE_MAX_BYTES must be a number of bytes");
  const store = openStore();
  // With a time limit, a store that is down shows at the start.
  await store.createBucket({ bucket: "uploads", ifMissing: true, timeoutMs: 10_000 });

  const app = createApp({ files: store.bucket("uploads"), fileMaxBytes: Number(FILE_MAX_BYTES) });
  const server = app.listen(Number(PORT), "127.0.0.1");
  await once(server, "listening");
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      server.close(() => void store.close());
      server.closeIdleConnections();
    });
  }
} catch (error) {
  console.error(`express-uploads: ${explainStart(error)}`);
  process.exit(1);
}
