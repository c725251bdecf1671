import { createServer } from "node:net";

/** A port of 127.0.0.1 that nothing listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("the probe has no port");
  return address.port;
}

/** A port of 127.0.0.1 on which nobody listens, now or soon: it is below those that the system gives to servers and clients that ask for any. */
export async function unusedPort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 9000);
    if (await isFree(port)) return port;
  }
}

/** Digits that, followed by one more digit from 1 to 9, name free ports below the ephemeral range. */
export async function freePortPrefix(): Promise<string> {
  for (;;) {
    const prefix = 2000 + Math.floor(Math.random() * 1200);
    const ports = Array.from({ length: 9 }, (_, index) => prefix * 10 + index + 1);
    const free = await Promise.all(ports.map(isFree));
    if (free.every(Boolean)) return String(prefix);
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return await new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
