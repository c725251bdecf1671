import { randomFillSync } from "node:crypto";
import { MIB } from "@ashlar/sdk";

/**
 * A body of `sizeBytes` that no store can deduplicate: one random block, stamped with a counter every MiB and a salt of its own.
 * Slices of `sliceBytes` (default 1 MiB) are views of one buffer, valid until the next is asked for.
 */
export async function* uniqueBody(sizeBytes: number, sliceBytes: number = MIB): AsyncGenerator<Uint8Array> {
  const block = Buffer.allocUnsafeSlow(Math.max(MIB, sliceBytes));
  randomFillSync(block);
  let sent = 0;
  while (sent < sizeBytes) {
    const length = Math.min(sliceBytes, sizeBytes - sent);
    block.writeDoubleLE(sent, 0);
    yield block.subarray(0, length);
    sent += length;
  }
}
