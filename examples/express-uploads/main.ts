import type { AddressInfo } from "node:net";
import { createApp } from "./app.ts";
import { openStore } from "./store.ts";

const { PORT = "3000", FILE_MAX_BYTES = "1073741824" } = process.env;

const store = openStore();
await store.createBucket({ bucket: "uploads", ifMissing: true });

const app = createApp({ files: store.bucket("uploads"), fileMaxBytes: Number(FILE_MAX_BYTES) });
const server = app.listen(Number(PORT), "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    server.close(() => void store.close());
    server.closeIdleConnections();
  });
}
