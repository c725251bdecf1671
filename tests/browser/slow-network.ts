import { cdp } from "vitest/browser";

/** Runs work while the browser's own network is slow both ways: to all servers together, and with no socket buffer between. */
export async function onSlowNetwork<T>(bytesPerSecond: number, work: () => Promise<T>): Promise<T> {
  const devtools = cdp() as unknown as { send(method: string, params?: object): Promise<unknown> };
  const limit = (throughput: number): Promise<unknown> =>
    devtools.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 0,
      downloadThroughput: throughput,
      uploadThroughput: throughput,
    });
  // Without this, DevTools would copy each body that is sent, which takes about a second per chunk.
  await devtools.send("Network.enable", { maxPostDataSize: 1 });
  try {
    await limit(bytesPerSecond);
    return await work();
  } finally {
    await limit(-1);
    await devtools.send("Network.disable");
  }
}
