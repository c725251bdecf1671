import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { createClient, direct, gateway, KIB } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import type { MetadataStore } from "@ashlar/sdk/ports";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testBytes } from "../support/test-bytes.ts";
import { startTestCluster, type TestCluster } from "../support/test-cluster.ts";
import { openTransport, type TransportName } from "../support/transports.ts";

const BUCKET = "unknown-outcome";
const TRANSPORTS: readonly TransportName[] = ["undici", "fetch", "connect", "grpc"];

let cluster: TestCluster;
/** Errors of the next writes to the metadata. A write whose error has the outcome "unknown" happens all the same. */
let failures: AshlarError[] = [];

const lost = (): AshlarError =>
  new AshlarError("METADATA_UNAVAILABLE", "a sync failed", { details: { outcome: "unknown" } });

/** A store whose writes fail with {@link failures}, as if the sync after the commit had failed. */
function losing(store: MetadataStore): MetadataStore {
  const lose =
    <Args extends unknown[], T>(write: (...args: Args) => Promise<T>) =>
    async (...args: Args): Promise<T> => {
      const failure = failures.shift();
      if (failure === undefined || failure.details.outcome === "unknown") {
        const result = await write(...args);
        if (failure === undefined) return result;
      }
      throw failure;
    };
  return { ...store, commitObject: lose(store.commitObject), deleteObject: lose(store.deleteObject) };
}

beforeAll(async () => {
  cluster = await startTestCluster({ nodeCount: 1, metadata: losing(createMemoryMetadataStore()), chunks: "memory" });
});

afterAll(() => cluster.close());

describe.each(Object.entries({ gateway, direct }))("a write that its store may have committed, %s", (_, seat) => {
  test.each(TRANSPORTS)("says so over %s; one that was refused does not", async (transportName) => {
    const transport = openTransport(transportName, cluster);
    const options = { url: cluster.url, apiKey: cluster.apiKey, transport, hasher: nodeCryptoHasher };
    const client = createClient(seat({ ...options, retry: { forMs: 0 } }));
    await client.createBucket({ bucket: BUCKET, ifMissing: true });
    const ref = { bucket: BUCKET, key: `${transportName}-key` };
    for (const sizeBytes of [10, 40 * KIB]) {
      const writes = [
        () => client.putObject({ ...ref, body: testBytes(sizeBytes, 1) }),
        () => client.deleteObject(ref),
      ];
      for (const write of writes) {
        failures = [lost()];
        const unknown = { code: "METADATA_UNAVAILABLE", details: { outcome: "unknown" } };
        await expect(write()).rejects.toMatchObject(unknown);
        failures = [new AshlarError("METADATA_UNAVAILABLE", "takes no more writes")];
        const refused = (await write().catch((error: unknown) => error)) as AshlarError;
        expect(refused).toMatchObject({ code: "METADATA_UNAVAILABLE" });
        expect(refused.details.outcome).toBeUndefined();
      }
    }
    failures = [lost()];
    const [many] = await client.deleteObjects({ bucket: BUCKET, keys: [ref.key] });
    expect(many?.error).toMatchObject({ details: { outcome: "unknown" } });
    await client.close();
  });
});
