import { createClient, direct, gateway, type ObjectClient, type RemoteSeatOptions, type Seat } from "@ashlar/sdk";
import type { Transport } from "@ashlar/sdk/ports";
import { connectTransport } from "@ashlar/sdk/transport/connect";
import { grpcWebTransport } from "@ashlar/sdk/transport/grpc-web";
import { httpTransport } from "@ashlar/sdk/transport/http";
import { inject } from "vitest";
import { defineConformance, scopeOfSeat } from "../conformance/define-conformance.ts";
import type { ConformanceSubject } from "../conformance/subject.ts";
import { CHUNK_MAX_BYTES, type ServerAccess, SLOW_BYTES_PER_SECOND } from "./provided.ts";

type SeatName = "gateway" | "direct";

const SEATS: Readonly<Record<SeatName, (options: RemoteSeatOptions) => Seat>> = { gateway, direct };
const TRANSPORTS: readonly (() => Transport)[] = [httpTransport, connectTransport, grpcWebTransport];

/** Every way from a page to the servers: name, and a client of the cluster or another server. */
export const WAYS: ReadonlyArray<readonly [name: string, open: (server?: ServerAccess) => ObjectClient]> =
  TRANSPORTS.flatMap((transport) =>
    (["gateway", "direct"] as const).map((seat) => {
      const name = `${seat} over ${transport().name}`;
      return [name, (server = inject("servers").cluster) => openClient(seat, transport, server)] as const;
    }),
  );

function openClient(seat: SeatName, transport: () => Transport, { url, apiKey }: ServerAccess): ObjectClient {
  return createClient(SEATS[seat]({ url, apiKey, transport: transport(), retry: { forMs: 2000 } }));
}

/**
 * The suite of all seats and transports, in a page, for both seats that have servers over one transport. Only direct may run it in full, which calls
 * gateway and nodes: what no transport changes is in one client for both seats, and both run it in full in Node.
 */
export function defineBrowserConformance(transport: () => Transport, scope: "full" | "transport"): void {
  const { name, capabilities } = transport();
  for (const seat of ["gateway", "direct"] as const) {
    const subject: ConformanceSubject = {
      name: `${seat} over ${name} in a page`,
      start: async () => ({
        chunkMaxBytes: CHUNK_MAX_BYTES,
        // page.test.ts moves 64 MiB.
        uploadProgress: capabilities.uploadProgress,
        openClient: () => openClient(seat, transport, inject("servers").cluster),
        async openThrottled(bytesPerSecond) {
          if (bytesPerSecond !== SLOW_BYTES_PER_SECOND)
            throw new Error(`slow ways have ${SLOW_BYTES_PER_SECOND} bytes/s`);
          const { slowGateway, slowNode } = inject("servers");
          const client = openClient(seat, transport, seat === "gateway" ? slowGateway : slowNode);
          return { client, close: () => client.close() };
        },
        close: async () => {},
      }),
    };
    defineConformance(subject, seat === "gateway" && scope === "full" ? "transport" : scopeOfSeat(seat, scope));
  }
}
