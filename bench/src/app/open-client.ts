import { join } from "node:path";
import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { embedded } from "@ashlar/adapters/embedded";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { openSqliteMetadataStore } from "@ashlar/adapters/metadata-store/sqlite";
import { grpcTransport } from "@ashlar/adapters/transport/grpc";
import { grpcJsTransport } from "@ashlar/adapters/transport/grpc-js";
import { undiciTransport } from "@ashlar/adapters/transport/undici";
import { createClient, direct, fixed, gateway, type ObjectClient } from "@ashlar/sdk";
import { singleStoreTopology } from "@ashlar/sdk/engine";
import { silentLogger, systemClock, systemRandom, type Transport } from "@ashlar/sdk/ports";
import { connectTransport } from "@ashlar/sdk/transport/connect";
import { grpcWebTransport } from "@ashlar/sdk/transport/grpc-web";
import { httpTransport } from "@ashlar/sdk/transport/http";
import { inProcessTransport } from "@ashlar/sdk/transport/in-process";
import { createGateway, noMetrics } from "@ashlar/server";
import type { ObjectStoreClient } from "../load/object-store-client.ts";
import type { ClientSpec, TransportName } from "./client-spec.ts";

const TRANSPORTS: Readonly<Record<TransportName, () => Transport>> = {
  undici: undiciTransport,
  fetch: httpTransport,
  connect: connectTransport,
  "grpc-web": grpcWebTransport,
  grpc: grpcTransport,
  "grpc-js": grpcJsTransport,
};
const BUCKET = "bench";

/** Opens the client of a row, as an app on Node would, and makes its bucket. */
export async function openStoreClient(spec: ClientSpec): Promise<ObjectStoreClient> {
  const client = await openSeat(spec);
  await client.createBucket({ bucket: BUCKET });
  return storeClient(client, spec.chunkBytes);
}

/** An Ashlar client as the load generator drives it. @param chunkBytes what objects are cut into. */
export function storeClient(client: ObjectClient, chunkBytes: number): ObjectStoreClient {
  const [bucket, chunker] = [BUCKET, fixed(chunkBytes)];
  return {
    async put(key, body) {
      const input = { bucket, key, chunker };
      if (body instanceof Uint8Array) await client.putObject({ ...input, body });
      else await client.putObject({ ...input, body: body.open(), sizeBytes: body.sizeBytes });
    },
    async get(key) {
      let received = 0;
      for await (const bytes of await client.getObject({ bucket, key })) received += bytes.byteLength;
      return received;
    },
    async list(prefix) {
      let count = 0;
      for await (const _ of client.listObjects({ bucket, prefix })) count++;
      return count;
    },
    async delete(key) {
      await client.deleteObject({ bucket, key });
    },
    close: () => client.close(),
  };
}

async function openSeat(spec: ClientSpec): Promise<ObjectClient> {
  switch (spec.seat) {
    case "embedded":
      return createClient(embedded(spec));
    case "in-process":
      return await openInProcess(spec);
    case "gateway":
    case "direct": {
      const { url, apiKey, durability } = spec;
      const options = { url, apiKey, durability, transport: TRANSPORTS[spec.transport](), hasher: nodeCryptoHasher };
      return createClient(spec.seat === "gateway" ? gateway(options) : direct(options));
    }
  }
}

/** The gateway seat and its server in one process: what the wire's messages cost without a socket. */
async function openInProcess({
  path,
  durability,
}: {
  path: string;
  durability: ClientSpec["durability"];
}): Promise<ObjectClient> {
  const metadata = await openSqliteMetadataStore({ path: join(path, "metadata.sqlite") });
  const server = createGateway({
    metadata,
    topology: singleStoreTopology(await openFsChunkStore({ path, durability })),
    hasher: nodeCryptoHasher,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    metrics: noMetrics,
    softwareVersion: "bench",
    insecure: true,
    durability,
    maintenance: false,
  });
  const transport = inProcessTransport({ fetch: server.fetch });
  return createClient(gateway({ url: "http://in-process", durability, transport, hasher: nodeCryptoHasher }));
}
