import { createMemoryChunkStore, type MemoryChunk } from "@ashlar/adapters/chunk-store/memory";
import { embedded } from "@ashlar/adapters/embedded";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { createClient, LIMITS, MIB } from "@ashlar/sdk";
import { createEngine, singleStoreTopology } from "@ashlar/sdk/engine";
import { silentLogger, systemClock, systemRandom } from "@ashlar/sdk/ports";
import { createTempFolder } from "../support/temp-folder.ts";
import { defineConformance } from "./define-conformance.ts";

defineConformance({
  name: "embedded in memory",
  async start() {
    const metadata = createMemoryMetadataStore();
    const chunks = new Map<string, MemoryChunk>();
    const chunkMaxBytes = 8 * MIB;
    return {
      chunkMaxBytes,
      uploadProgress: true,
      openClient: () =>
        createClient({
          name: "embedded",
          async open() {
            const backend = createEngine({
              catalog: metadata,
              topology: singleStoreTopology(createMemoryChunkStore({ chunks, chunkMaxBytes })),
              hasher: nodeCryptoHasher,
              clock: systemClock,
              random: systemRandom,
              logger: silentLogger,
            });
            return { backend, clock: systemClock, close: () => backend.close() };
          },
        }),
      close: () => metadata.close(),
    };
  },
});

defineConformance({
  name: "embedded in a folder",
  async start() {
    const folder = await createTempFolder();
    return {
      chunkMaxBytes: LIMITS.CHUNK_MAX_BYTES_DEFAULT.value,
      uploadProgress: true,
      openClient: () => createClient(embedded({ path: folder.path })),
      close: async () => folder[Symbol.asyncDispose](),
    };
  },
});
