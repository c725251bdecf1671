import { encodeHex } from "@ashlar/sdk/hash";
import type { DatabaseIdentity } from "@ashlar/sdk/ports";
import type { MemoryState } from "./state.ts";

const ID_BYTES = 16;

export function memoryIdentity({ clock, random }: MemoryState): DatabaseIdentity {
  const databaseId = encodeHex(random.bytes(ID_BYTES));
  let epoch = 0;
  let takesOver = false;
  let acceptedAtMs = clock.nowMs();
  return {
    async databaseMark() {
      return { databaseId, epoch, takesOver, ageMs: Math.max(0, Math.ceil(clock.nowMs() - acceptedAtMs)) };
    },
    async advanceDatabase(from) {
      if (from !== epoch) return;
      epoch++;
      takesOver = false;
    },
    async acceptDatabase({ keepOlder }) {
      const nowMs = Math.floor(clock.nowMs());
      epoch = Math.max(epoch + 1, nowMs);
      takesOver = true;
      acceptedAtMs = keepOlder ? nowMs : 0;
    },
    checkIntegrity: async () => [],
  };
}
