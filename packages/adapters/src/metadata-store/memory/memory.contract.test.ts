import { metadataStoreContract } from "@ashlar/sdk/testing";
import { createMemoryMetadataStore } from "./index.ts";

const unsupported = (): never => {
  throw new Error("a memory store is neither persistent nor shared");
};

metadataStoreContract({
  name: "the memory metadata store",
  create: async () => {
    const store = createMemoryMetadataStore();
    return { store, reopen: unsupported, second: unsupported, dispose: () => store.close() };
  },
});
