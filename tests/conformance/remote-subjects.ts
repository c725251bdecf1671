import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createClient, direct, gateway, MIB, type ObjectClient, type RemoteSeatOptions, type Seat } from "@ashlar/sdk";
import { startTestCluster, type TestCluster, type TestClusterOptions } from "../support/test-cluster.ts";
import { openTransport, type TransportName } from "../support/transports.ts";
import { defineConformance, scopeOfSeat } from "./define-conformance.ts";
import type { ConformanceSubject } from "./subject.ts";

const CHUNK_MAX_BYTES = 8 * MIB;

const SEATS: Readonly<Record<"gateway" | "direct", (options: RemoteSeatOptions) => Seat>> = { gateway, direct };
const SEAT_NAMES = ["gateway", "direct"] as const;

/**
 * The suite for both seats that have servers, over one transport. Each seat gets a cluster of its own: a gateway and three nodes on real ports. Where
 * the suite asks for slow connections, it gets a second one.
 */
export function defineRemoteConformance(
  transportName: TransportName,
  scope: "full" | "transport",
  options: TestClusterOptions = {},
): void {
  for (const seatName of SEAT_NAMES) {
    const seat = SEATS[seatName];
    const open = (cluster: TestCluster): ObjectClient => {
      const transport = openTransport(transportName, cluster);
      const { url, apiKey } = cluster;
      return createClient(seat({ url, apiKey, transport, hasher: nodeCryptoHasher }));
    };
    const subject: ConformanceSubject = {
      name: `${seatName} over ${transportName}`,
      async start() {
        const cluster = await startTestCluster({ chunkMaxBytes: CHUNK_MAX_BYTES, ...options });
        const running = {
          chunkMaxBytes: CHUNK_MAX_BYTES,
          uploadProgress: openTransport(transportName, cluster).capabilities.uploadProgress,
          openClient: () => open(cluster),
          close: () => cluster.close(),
        };
        return transportName === "in-process" ? running : { ...running, openThrottled: throttled(seatName, open) };
      },
    };
    defineConformance(subject, scopeOfSeat(seatName, scope));
  }
}

function throttled(seatName: string, open: (cluster: TestCluster) => ObjectClient) {
  return async (bytesPerSecond: number): Promise<{ client: ObjectClient; close(): Promise<void> }> => {
    const cluster = await startTestCluster({ nodeCount: 1, proxied: true });
    // Only the connections that carry the client's bytes.
    for (const { proxy } of seatName === "gateway" ? [cluster] : cluster.nodes) proxy?.throttle(bytesPerSecond);
    const client = open(cluster);
    return {
      client,
      async close() {
        await client.close();
        await cluster.close();
      },
    };
  };
}
