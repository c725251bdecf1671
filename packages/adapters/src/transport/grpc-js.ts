import { createSecureContext } from "node:tls";
import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS, MIB } from "@ashlar/sdk/limits";
import { checkOptions, type Transport } from "@ashlar/sdk/ports";
import { createRpcTransport } from "@ashlar/sdk/transport/rpc";
import { type ChannelCredentials, type ChannelOptions, Client, credentials } from "@grpc/grpc-js";
import { createGrpcJsCalls } from "./grpc-js/calls.ts";

/** Options of {@link grpcJsTransport}. */
export interface GrpcJsTransportOptions {
  /** Certificate authorities in PEM, for servers whose certificate no public authority has signed. Default: those that Node trusts. */
  readonly ca?: string | undefined;
  /** Further options of @grpc/grpc-js channels, for instance keep-alive pings. */
  readonly channelOptions?: ChannelOptions | undefined;
}

const CHANNEL_OPTIONS: ChannelOptions = Object.freeze({
  // The library's default, 4 MiB, is less than a page of a large manifest.
  "grpc.max_receive_message_length": LIMITS.CONTROL_MESSAGE_MAX_BYTES,
  "grpc.max_send_message_length": -1,
  "grpc-node.flow_control_window": 4 * MIB,
  // The engine retries chunk by chunk; a second copy of every message for the library's own retries would only cost memory.
  "grpc.enable_retries": 0,
  // The transport must not read the environment.
  "grpc.enable_http_proxy": 0,
  // Each transport has its own connections, so that closing one closes them.
  "grpc.use_local_subchannel_pool": 1,
  // A server that restarts is found again within a second, not within two minutes.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1000,
});

/** gRPC over HTTP/2 with Google's client for Node, for apps that use it already. */
export function grpcJsTransport(options: GrpcJsTransportOptions = {}): Transport {
  checkOptions(options, { ca: "string", channelOptions: "object" });
  return createRpcTransport({
    name: "grpc-js",
    capabilities: { clientStreaming: true, browser: false, uploadProgress: true },
    openChannel(url) {
      const open = (): Client =>
        new Client(targetOf(url), credentialsFor(url, options.ca), { ...CHANNEL_OPTIONS, ...options.channelOptions });
      let client = open();
      return {
        transport: createGrpcJsCalls(() => client, url),
        reset() {
          const old = client;
          client = open();
          old.close();
        },
        close: () => client.close(),
      };
    },
  });
}

/** @throws {AshlarError} INVALID_ARGUMENT for a URL with a path: gRPC has no prefixes. */
function targetOf(text: string): string {
  const url = new URL(text);
  if (url.pathname !== "/") {
    throw new AshlarError("INVALID_ARGUMENT", "a server's URL has no path with this transport", {
      details: { url: text },
    });
  }
  return `${url.hostname}:${url.port || (url.protocol === "https:" ? "443" : "80")}`;
}

function credentialsFor(url: string, ca: string | undefined): ChannelCredentials {
  if (!url.startsWith("https:")) return credentials.createInsecure();
  // Not createSsl: its own environment variables would replace the roots that Node, and so every other transport, trusts.
  return credentials.createFromSecureContext(createSecureContext(ca === undefined ? {} : { ca }));
}
