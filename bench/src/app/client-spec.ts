import type { Durability } from "@ashlar/sdk";

/** Transports that a row may use; `undici` and `fetch` are the two forms of plain HTTP. */
export const TRANSPORT_NAMES = ["undici", "fetch", "connect", "grpc-web", "grpc", "grpc-js"] as const;

/** Name of a transport to a server. */
export type TransportName = (typeof TRANSPORT_NAMES)[number];

/** Which client the app's process opens. */
export type ClientSpec = SeatSpec & {
  /** Size of the chunks that objects are cut into. */
  readonly chunkBytes: number;
};

/** The seat and how it reaches its servers. */
export type SeatSpec =
  | { readonly seat: "embedded"; readonly path: string; readonly durability: Durability }
  | { readonly seat: "in-process"; readonly path: string; readonly durability: Durability }
  | {
      readonly seat: "gateway" | "direct";
      readonly transport: TransportName;
      readonly url: string;
      readonly apiKey: string;
      readonly durability: Durability;
    };
