import { embedded } from "@ashlar/adapters/embedded";
import { inMemory } from "@ashlar/adapters/memory";
import { createClient, LIMITS } from "@ashlar/sdk";
import { createTempFolder } from "../support/temp-folder.ts";
import { defineConformance } from "./define-conformance.ts";

// The same seat over other stores.
defineConformance(
  {
    name: "in memory",
    async start() {
      const seat = inMemory();
      return {
        chunkMaxBytes: LIMITS.CHUNK_MAX_BYTES_DEFAULT,
        uploadProgress: true,
        openClient: () => createClient(seat),
        close: async () => {},
      };
    },
  },
  "transport",
);

defineConformance({
  name: "embedded in a folder",
  async start() {
    const folder = await createTempFolder();
    return {
      chunkMaxBytes: LIMITS.CHUNK_MAX_BYTES_DEFAULT,
      uploadProgress: true,
      openClient: () => createClient(embedded({ path: folder.path })),
      close: async () => folder[Symbol.asyncDispose](),
    };
  },
});
