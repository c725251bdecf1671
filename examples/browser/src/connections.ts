import { createClient, direct, gateway, type ObjectClient } from "@ashlar/sdk";
import type { Transport } from "@ashlar/sdk/ports";
import { newSession, type Session } from "./session.ts";
import { showPatience } from "./ui/notices.ts";

/** What places the chunks: the gateway, or this page, which then calls the storage nodes itself. */
export type SeatName = "gateway" | "direct";
export type TransportName = "http" | "connect" | "grpc-web";

/** How the page reaches the store. */
export interface Way {
  readonly seat: SeatName;
  readonly transport: TransportName;
}

/** The store's bucket, reached in any way. */
export interface Connections {
  readonly gatewayUrl: string;
  readonly bucket: string;
  /** The client of a way. Each is made once, so that transfers go on while another way is chosen. */
  client(way: Way): Promise<ObjectClient>;
}

export async function openConnections(): Promise<Connections> {
  const first = await newSession();
  const clients = new Map<string, Promise<ObjectClient>>();
  return {
    gatewayUrl: first.gatewayUrl,
    bucket: first.bucket,
    client(way) {
      const name = `${way.seat} ${way.transport}`;
      const made = clients.get(name) ?? openClient(way, first);
      clients.set(name, made);
      made.catch(() => clients.delete(name));
      return made;
    },
  };
}

async function openClient({ seat, transport }: Way, session: Session): Promise<ObjectClient> {
  const make = seat === "gateway" ? gateway : direct;
  // Asked for at the first call, and again when the store says that the last token has ended.
  const apiKey = async (): Promise<string> => (await newSession()).token;
  const retry = { onRetry: showPatience };
  return createClient(make({ url: session.gatewayUrl, apiKey, retry, transport: await open(transport) }));
}

/** Loads a transport's code when it is chosen. */
async function open(name: TransportName): Promise<Transport> {
  switch (name) {
    case "http":
      return (await import("@ashlar/sdk/transport/http")).httpTransport();
    case "connect":
      return (await import("@ashlar/sdk/transport/connect")).connectTransport();
    case "grpc-web":
      return (await import("@ashlar/sdk/transport/grpc-web")).grpcWebTransport();
  }
}
