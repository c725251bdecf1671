import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createClient, direct, gateway, type ObjectClient } from "@ashlar/sdk";
import { LIMITS } from "@ashlar/sdk/limits";
import { defineConformance } from "../conformance/define-conformance.ts";
import { openTransport, type TransportName } from "../support/transports.ts";
import { readCompose } from "./compose-file.ts";
import { composeUp } from "./compose-processes.ts";
import { composeSecrets } from "./compose-secrets.ts";

/**
 * The promises of the object API, from outside a whole cluster: of the gateway at ASHLAR_TEST_URL with the admin key ASHLAR_TEST_KEY (that is how
 * docker-compose.test.yml runs it, over every transport), or of the services of docker-compose.yml as plain processes.
 */
const { ASHLAR_TEST_URL, ASHLAR_TEST_KEY } = process.env;
const EVERY: readonly TransportName[] = ["undici", "fetch", "connect", "grpc-web", "grpc", "grpc-js"];
// The transports have suites of their own; here the cluster is what is new.
const TRANSPORTS: readonly TransportName[] = ASHLAR_TEST_URL === undefined ? ["undici"] : EVERY;
const SEATS = { gateway, direct } as const;
const NOBODY = { fetch: () => Promise.reject(new Error("nothing runs in this process")) };

interface Deployed {
  readonly url: string;
  readonly apiKey: string;
  close(): Promise<void>;
}

async function open(): Promise<Deployed> {
  if (ASHLAR_TEST_URL !== undefined) {
    if (ASHLAR_TEST_KEY === undefined) throw new Error("ASHLAR_TEST_URL is set, ASHLAR_TEST_KEY is not");
    return { url: ASHLAR_TEST_URL, apiKey: ASHLAR_TEST_KEY, close: async () => {} };
  }
  const cluster = await composeUp(readCompose(["docker-compose.yml"], composeSecrets()));
  const key = await cluster.services.get("gateway")?.exec(["ashlar", "key", "create", "--role", "admin"]);
  return { url: cluster.url("gateway", 9000), apiKey: String(key).trim(), close: () => cluster.down() };
}

const subjects = Object.keys(SEATS).length * TRANSPORTS.length;
let opened: Promise<Deployed> | undefined;
let closedCount = 0;

for (const [seatName, seat] of Object.entries(SEATS)) {
  for (const transportName of TRANSPORTS) {
    defineConformance({
      name: `${seatName} over ${transportName}, against a whole cluster`,
      async start() {
        // One cluster for all: each case has a bucket of its own.
        opened ??= open();
        const { url, apiKey, close } = await opened;
        const transport = () => openTransport(transportName, NOBODY);
        return {
          chunkMaxBytes: LIMITS.CHUNK_MAX_BYTES_DEFAULT.value,
          uploadProgress: transport().capabilities.uploadProgress,
          openClient: (): ObjectClient =>
            createClient(seat({ url, apiKey, transport: transport(), hasher: nodeCryptoHasher })),
          close: async () => {
            if (++closedCount === subjects) await close();
          },
        };
      },
    });
  }
}
