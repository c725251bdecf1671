import { createHash, randomFillSync } from "node:crypto";
import { megabytesPerSecond } from "../statistics.ts";

const PIECE_BYTES = 4 * 1024 * 1024;

/** SHA-256 of 4 MiB pieces on this thread, in MB/s. */
export function measureSha256(sizeBytes: number): number {
  const piece = randomFillSync(Buffer.allocUnsafeSlow(PIECE_BYTES));
  const startedAtMs = performance.now();
  for (let done = 0; done < sizeBytes; done += PIECE_BYTES) createHash("sha256").update(piece).digest();
  return megabytesPerSecond(sizeBytes, performance.now() - startedAtMs);
}
