import { DURABILITIES } from "@ashlar/sdk/ports";
import { chunkStoreContract } from "@ashlar/sdk/testing";
import { createFsSubject } from "./testing/fs-subject.ts";

for (const durability of DURABILITIES) {
  chunkStoreContract({ name: `the fs chunk store, ${durability}`, create: () => createFsSubject({ durability }) });
}
