import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createClient, direct, gateway, MIB } from "@ashlar/sdk";
import { startTestCluster, type TestClusterOptions } from "../support/test-cluster.ts";
import { openTransport, type TransportName } from "../support/transports.ts";
import { defineConformance } from "./define-conformance.ts";

const CHUNK_MAX_BYTES = 8 * MIB;

/** The suite for both seats that have servers, over one transport. Each seat gets a cluster of its own: a gateway and three nodes. */
export function defineRemoteConformance(transportName: TransportName, options: TestClusterOptions = {}): void {
  for (const [seatName, seat] of [
    ["gateway", gateway],
    ["direct", direct],
  ] as const) {
    defineConformance({
      name: `${seatName} over ${transportName}`,
      async start() {
        const socketless = transportName === "in-process";
        const cluster = await startTestCluster({ chunkMaxBytes: CHUNK_MAX_BYTES, ...options });
        const { uploadProgress } = openTransport(transportName, cluster).capabilities;
        return {
          chunkMaxBytes: CHUNK_MAX_BYTES,
          uploadProgress,
          openClient: () =>
            createClient(
              seat({
                url: cluster.url,
                apiKey: cluster.apiKey,
                transport: openTransport(transportName, cluster),
                hasher: nodeCryptoHasher,
              }),
            ),
          ...(socketless || cluster.proxy === undefined
            ? {}
            : {
                throttle: (bytesPerSecond: number | undefined) => {
                  for (const proxy of [cluster.proxy, ...cluster.nodes.map((node) => node.proxy)]) {
                    proxy?.throttle(bytesPerSecond);
                  }
                },
              }),
          close: () => cluster.close(),
        };
      },
    });
  }
}
