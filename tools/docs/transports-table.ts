import { grpcTransport } from "@ashlar/adapters/transport/grpc";
import { grpcJsTransport } from "@ashlar/adapters/transport/grpc-js";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import type { Transport } from "@ashlar/sdk/ports";
import { connectTransport } from "@ashlar/sdk/transport/connect";
import { grpcWebTransport } from "@ashlar/sdk/transport/grpc-web";
import { httpTransport } from "@ashlar/sdk/transport/http";
import { inProcessTransport } from "@ashlar/sdk/transport/in-process";
import { code, markdownTable } from "./markdown.ts";

interface Entry {
  readonly create: () => Transport;
  readonly factory: string;
  readonly from: string;
  readonly wire: string;
}

const TRANSPORTS: readonly Entry[] = [
  {
    create: () => httpTransport(),
    factory: "httpTransport()",
    from: "@ashlar/sdk/transport/http",
    wire: "`/chunks` over plain HTTP and the rest as Connect JSON, over fetch, no protobuf; the SDK's default",
  },
  {
    create: () => undiciTransport(),
    factory: "undiciTransport()",
    from: "@ashlar/adapters/transport/undici",
    wire: "the same over undici and HTTP/1.1; the fastest in Node, default of `@ashlar/adapters/node`",
  },
  {
    create: () => connectTransport(),
    factory: "connectTransport()",
    from: "@ashlar/sdk/transport/connect",
    wire: "Connect, binary",
  },
  {
    create: () => grpcWebTransport(),
    factory: "grpcWebTransport()",
    from: "@ashlar/sdk/transport/grpc-web",
    wire: "gRPC-Web, binary",
  },
  {
    create: () => grpcTransport(),
    factory: "grpcTransport()",
    from: "@ashlar/adapters/transport/grpc",
    wire: "gRPC over HTTP/2, by @connectrpc/connect-node",
  },
  {
    create: () => grpcJsTransport(),
    factory: "grpcJsTransport()",
    from: "@ashlar/adapters/transport/grpc-js",
    wire: "gRPC over HTTP/2, by @grpc/grpc-js",
  },
  {
    create: () => inProcessTransport({ routes: () => {} }),
    factory: "inProcessTransport({ routes })",
    from: "@ashlar/sdk/transport/in-process",
    wire: "a server in the same process, with the wire's messages, errors and limits",
  },
];

/** The transports with the capabilities that they declare. */
export function transportsTable(): string {
  const rows = TRANSPORTS.map(({ create, factory, from, wire }) => {
    const { name, capabilities } = create();
    const { browser, clientStreaming } = capabilities;
    const progress = progressOf(capabilities.uploadProgress, asInPage(create).capabilities.uploadProgress);
    return [code(name), `\`${factory}\` of \`${from}\``, wire, yes(browser), yes(clientStreaming), progress];
  });
  return markdownTable([
    ["name", "made by", "on the wire", "browsers", "client streaming", "upload progress"],
    ...rows,
  ]);
}

/** The transport as it is made in a page: there is an XMLHttpRequest there. */
function asInPage(create: () => Transport): Transport {
  const scope = globalThis as { XMLHttpRequest?: unknown };
  scope.XMLHttpRequest = function XMLHttpRequest() {};
  try {
    return create();
  } finally {
    delete scope.XMLHttpRequest;
  }
}

function progressOf(here: boolean, inPage: boolean): string {
  if (here) return "within a chunk";
  return inPage ? "within a chunk in browsers, per chunk elsewhere" : "per chunk";
}

const yes = (value: boolean): string => (value ? "yes" : "no");
