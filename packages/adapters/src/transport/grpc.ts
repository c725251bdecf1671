import type { ClientHttp2Session, ClientHttp2Stream, SecureClientSessionOptions } from "node:http2";
import { LIMITS, MIB } from "@ashlar/sdk/limits";
import { checkOptions, type Transport } from "@ashlar/sdk/ports";
import { createRpcTransport, foreignAnswer } from "@ashlar/sdk/transport/rpc";
import type { UniversalClientFn } from "@connectrpc/connect/protocol";
import { createTransport } from "@connectrpc/connect/protocol-grpc";
import {
  type GrpcTransportOptions as ConnectOptions,
  createNodeHttpClient,
  Http2SessionManager,
} from "@connectrpc/connect-node";

/** Options of {@link grpcTransport}. */
export interface GrpcTransportOptions {
  /** HTTP/2 connections to one server; default 1. More of them help where one connection's window is too small for the distance to the server. */
  readonly connectionsPerServer?: number | undefined;
  /** Certificate authorities in PEM, for servers whose certificate no public authority has signed. */
  readonly ca?: string | undefined;
}

/** Node's default of 64 KiB stalls every stream at once. Here one chunk may be under way per stream, four on the connection. */
const STREAM_WINDOW_BYTES = 4 * MIB;
const CONNECTION_WINDOW_BYTES = 16 * MIB;
/** In MB, as Node counts it. At Node's 10, three 4 MiB messages at once end the session with ENHANCE_YOUR_CALM. */
const SESSION_MEMORY_MAX_MB = 512;
const ENVELOPE_BYTES = 1024;

type SessionManager = NonNullable<ConnectOptions["sessionManager"]>;

/** gRPC over HTTP/2 with Connect's client for Node: streams both ways, no native code. */
export function grpcTransport(options: GrpcTransportOptions = {}): Transport {
  checkOptions(options, { connectionsPerServer: "count", ca: "string" });
  return createRpcTransport({
    name: "grpc",
    capabilities: { clientStreaming: true, browser: false, uploadProgress: true },
    openChannel(baseUrl) {
      const sessions = createSessions(baseUrl, options);
      return {
        transport: createTransport({
          baseUrl,
          httpClient: ownAnswers(sessions.manager, baseUrl),
          useBinaryFormat: true,
          interceptors: [],
          // Chunks do not compress, and trying costs two thirds of the throughput.
          acceptCompression: [],
          sendCompression: null,
          compressMinBytes: Number.MAX_SAFE_INTEGER,
          readMaxBytes: LIMITS.CONTROL_MESSAGE_MAX_BYTES,
          writeMaxBytes: LIMITS.CHUNK_MAX_BYTES + ENVELOPE_BYTES,
        }),
        reset: sessions.reset,
        close: sessions.close,
      };
    },
  });
}

/** An HTTP/2 client that gives answers of our servers only. For other answers, Connect would report what its parsers miss in them. */
function ownAnswers(manager: SessionManager, baseUrl: string): UniversalClientFn {
  const request = createNodeHttpClient({ httpVersion: "2", sessionProvider: () => manager });
  return async (call) => {
    const answer = await request(call);
    const { status, header } = answer;
    const foreign = foreignAnswer({ status, header: (name) => header.get(name) }, baseUrl);
    if (foreign !== undefined) throw foreign;
    return answer;
  };
}

interface Sessions {
  readonly manager: SessionManager;
  /** Ends the sessions and what runs on them; the next request opens new ones. */
  reset(): void;
  close(): void;
}

/** Uses the sessions of one server as one: requests take them in turn, and each session's window is raised when it is first used. */
function createSessions(baseUrl: string, { connectionsPerServer, ca }: GrpcTransportOptions): Sessions {
  const sessionOptions: SecureClientSessionOptions = {
    settings: { initialWindowSize: STREAM_WINDOW_BYTES, enablePush: false },
    maxSessionMemory: SESSION_MEMORY_MAX_MB,
    ...(ca === undefined ? {} : { ca }),
  };
  const managers = Array.from(
    { length: connectionsPerServer ?? 1 },
    () => new Http2SessionManager(baseUrl, undefined, sessionOptions),
  );
  const raised = new WeakSet<ClientHttp2Session>();
  const ownerOf = new WeakMap<ClientHttp2Stream, Http2SessionManager>();
  let requestCount = 0;
  return {
    manager: {
      authority: new URL(baseUrl).origin,
      async request(...request) {
        const manager = managers[requestCount++ % managers.length] as Http2SessionManager;
        const stream = await manager.request(...request);
        ownerOf.set(stream, manager);
        const session = stream.session as ClientHttp2Session | undefined;
        if (session !== undefined && !raised.has(session)) {
          raised.add(session);
          // The manager listens only until it is closed. An error that ended the streams reaches the session later, and would end the process.
          session.on("error", () => {});
          session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
        }
        return stream;
      },
      notifyResponseByteRead: (stream) => ownerOf.get(stream)?.notifyResponseByteRead(stream),
    },
    reset() {
      for (const manager of managers) manager.abort();
    },
    close() {
      for (const manager of managers) manager.abort();
    },
  };
}
