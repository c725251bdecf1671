import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createClient, direct, gateway, type ObjectClient } from "@ashlar/sdk";
import { LIMITS } from "@ashlar/sdk/limits";
import { defineConformance } from "../conformance/define-conformance.ts";
import type { ConformanceSubject } from "../conformance/subject.ts";
import { openTransport, type TransportName } from "../support/transports.ts";

/** A cluster as its clients know it. */
export interface DeployedCluster {
  readonly url: string;
  /** An admin key. */
  readonly apiKey: string;
}

const SEATS = { gateway, direct } as const;

/** Through the gateway, or straight to the nodes. */
export type DeployedSeat = keyof typeof SEATS;

const NOBODY = { fetch: () => Promise.reject(new Error("nothing runs in this process")) };

/**
 * The promises of the object API, kept by a whole cluster and seen from outside: each of the seats over each of the transports.
 *
 * @param cluster is called when the tests run. The tests do not stop the cluster, and what they wrote stays in it.
 */
export function defineEndToEnd(
  ways: { readonly seats: readonly DeployedSeat[]; readonly transports: readonly TransportName[] },
  cluster: () => DeployedCluster,
): void {
  for (const seatName of ways.seats) {
    const seat = SEATS[seatName];
    for (const transportName of ways.transports) {
      const transport = () => openTransport(transportName, NOBODY);
      const subject: ConformanceSubject = {
        name: `${seatName} over ${transportName}, against a whole cluster`,
        start: async () => ({
          chunkMaxBytes: LIMITS.CHUNK_MAX_BYTES_DEFAULT,
          uploadProgress: transport().capabilities.uploadProgress,
          openClient: (): ObjectClient =>
            createClient(seat({ ...cluster(), transport: transport(), hasher: nodeCryptoHasher })),
          close: async () => {},
        }),
      };
      defineConformance(subject, "transport");
    }
  }
}
