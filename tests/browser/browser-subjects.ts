import { createClient, direct, gateway, type ObjectClient, type RemoteSeatOptions, type Seat } from "@ashlar/sdk";
import type { Transport } from "@ashlar/sdk/ports";
import { inject } from "vitest";
import { defineConformance } from "../conformance/define-conformance.ts";
import { CHUNK_MAX_BYTES, type ServerAccess, SLOW_BYTES_PER_SECOND } from "./provided.ts";

/** The seats that a page can take, and where each finds a cluster whose way is slow for its bytes, and for them alone. */
const SEATS: ReadonlyArray<
  readonly [name: string, seat: (options: RemoteSeatOptions) => Seat, slow: "slowGateway" | "slowNode"]
> = [
  ["gateway", gateway, "slowGateway"],
  ["direct", direct, "slowNode"],
];

/** The suite of all seats and transports, in a page, for both seats that have servers over one transport. */
export function defineBrowserConformance(open: () => Transport): void {
  const { name: transportName, capabilities } = open();
  for (const [seatName, seat, slow] of SEATS) {
    const openClient = ({ url, apiKey }: ServerAccess): ObjectClient =>
      createClient(seat({ url, apiKey, transport: open() }));
    defineConformance({
      name: `${seatName} over ${transportName} in a page`,
      start: async () => ({
        chunkMaxBytes: CHUNK_MAX_BYTES,
        uploadProgress: capabilities.uploadProgress,
        openClient: () => openClient(inject("servers").cluster),
        async openThrottled(bytesPerSecond) {
          if (bytesPerSecond !== SLOW_BYTES_PER_SECOND)
            throw new Error(`the ways have ${SLOW_BYTES_PER_SECOND} bytes/s`);
          const client = openClient(inject("servers")[slow]);
          return { client, close: () => client.close() };
        },
        close: async () => {},
      }),
    });
  }
}
