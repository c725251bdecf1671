import { AshlarError } from "@ashlar/sdk/errors";
import type { Transport } from "@ashlar/sdk/ports";
import type { TRANSPORT_NAMES } from "./config.ts";

type TransportName = (typeof TRANSPORT_NAMES)[number];

/** Loads only the transport that is asked for: each brings a library of its own, and commands should start fast. */
const TRANSPORTS: Readonly<Record<TransportName, () => Promise<Transport>>> = {
  undici: async () => (await import("@ashlar/adapters/transport/undici")).undiciTransport(),
  http: async () => (await import("@ashlar/sdk/transport/http")).httpTransport(),
  connect: async () => (await import("@ashlar/sdk/transport/connect")).connectTransport(),
  "grpc-web": async () => (await import("@ashlar/sdk/transport/grpc-web")).grpcWebTransport(),
  grpc: async () => (await import("@ashlar/adapters/transport/grpc")).grpcTransport(),
  "grpc-js": async () => (await import("@ashlar/adapters/transport/grpc-js")).grpcJsTransport(),
};

/** Opens a transport by its name. @throws {AshlarError} INVALID_ARGUMENT for an unknown one. */
export async function openTransport(name: string): Promise<Transport> {
  const open = Object.hasOwn(TRANSPORTS, name) ? TRANSPORTS[name as TransportName] : undefined;
  if (open === undefined) throw new AshlarError("INVALID_ARGUMENT", `no transport is called ${name}`);
  return await open();
}
