import { expect } from "vitest";
import { AshlarError, type ErrorCode } from "../../errors/index.ts";
import { encodeHex } from "../../hash/index.ts";
import { systemClock } from "../../ports/index.ts";
import type { TestChunk } from "../test-bytes.ts";
import type { ChunkStoreSubject } from "./contract-case.ts";

/**
 * The time for an aborted call: this many pauses of this process, each at least this long. On an idle machine that is one second, far more than the
 * 100 ms that the port promises. On a busy machine the pauses grow too, so only a call that waits for something misses the limit.
 */
const ABORT_PAUSES_MAX = 200;
const ABORT_PAUSE_MS = 5;
/** How long an aborted call may clean up after its rejection, in ms. */
const CLEANUP_MAX_MS = 5000;

/** Waits for a rejection and checks its code. */
export async function expectCode(call: Promise<unknown>, code: ErrorCode): Promise<AshlarError> {
  let outcome: unknown;
  try {
    outcome = { resolved: await call };
  } catch (error) {
    outcome = error;
  }
  if (!AshlarError.is(outcome)) expect.fail(`expected ${code}, got ${describeOutcome(outcome)}`);
  expect(outcome.code).toBe(code);
  return outcome;
}

function describeOutcome(outcome: unknown): string {
  if (outcome instanceof Error) return `${outcome.name}: ${outcome.message}`;
  return "a call that succeeded";
}

/** Checks bytes by length and content, without printing megabytes when they differ. */
export function expectBytes(actual: Uint8Array | undefined, expected: Uint8Array): void {
  expect(actual, "the chunk is absent").toBeInstanceOf(Uint8Array);
  const bytes = actual as Uint8Array;
  expect(bytes.byteLength).toBe(expected.byteLength);
  const differing = bytes.findIndex((byte, index) => byte !== expected[index]);
  expect(differing, "the first byte that differs").toBe(-1);
}

/** Checks that a call rejects with `code` soon after `abort()`. */
export async function expectAborts(
  call: Promise<unknown>,
  abort: () => void,
  code: ErrorCode = "CANCELED",
): Promise<void> {
  abort();
  let settled = false;
  const outcome = expectCode(call, code).finally(() => {
    settled = true;
  });
  outcome.catch(() => {});
  for (let pause = 0; pause < ABORT_PAUSES_MAX && !settled; pause++) await systemClock.sleep(ABORT_PAUSE_MS);
  expect(settled, "whether the call has ended after its abort").toBe(true);
  await outcome;
}

/** Checks through the second channel that exactly these chunks are kept. Waits up to CLEANUP_MAX_MS for the clean-up of an aborted call. */
export async function expectKept(subject: ChunkStoreSubject, expected: readonly TestChunk[]): Promise<void> {
  const startedAtMs = systemClock.monotonicMs();
  let seen = await subject.inspect();
  while (seen.leftovers.length > 0 && systemClock.monotonicMs() - startedAtMs < CLEANUP_MAX_MS) {
    await systemClock.sleep(5);
    seen = await subject.inspect();
  }
  expect(seen.leftovers).toEqual([]);
  expect([...seen.chunks.keys()].sort()).toEqual(expected.map(({ chunkId }) => encodeHex(chunkId)).sort());
  for (const { chunkId, bytes } of expected) expectBytes(seen.chunks.get(encodeHex(chunkId)), bytes);
}

/** A copy of `bytes` with one bit flipped. */
export function flipBit(bytes: Uint8Array, index = 0): Uint8Array {
  const copy = bytes.slice();
  copy[index] = (copy[index] as number) ^ 1;
  return copy;
}
