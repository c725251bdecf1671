import type { Clock, Random } from "@ashlar/sdk/ports";

const RANDOM_BYTES = 10;
const TIME_HEX = 12;
/** Ids whose random bytes are asked for at once: one call to the system's generator costs as much as the other bookkeeping of a small write. */
const POOLED_IDS = 128;

interface Pool {
  bytes: Uint8Array;
  used: number;
}

/** The unused bytes of each source, in the order in which it gave them. */
const pools = new WeakMap<Random, Pool>();

/**
 * A new id for an object version, manifest, upload or repair: 32 hex characters, 48 bits of time in ms and 80 random bits. The time in front
 * keeps new rows together in an index; nothing may rely on the order.
 */
export function newId(clock: Clock, random: Random): string {
  const time = Math.max(0, Math.floor(clock.nowMs())).toString(16).padStart(TIME_HEX, "0").slice(-TIME_HEX);
  return time + takeHex(random);
}

function takeHex(random: Random): string {
  let pool = pools.get(random);
  if (pool === undefined || pool.used === pool.bytes.byteLength) {
    pool = { bytes: random.bytes(POOLED_IDS * RANDOM_BYTES), used: 0 };
    pools.set(random, pool);
  }
  const from = pool.used;
  pool.used += RANDOM_BYTES;
  return Buffer.from(pool.bytes.buffer, pool.bytes.byteOffset + from, RANDOM_BYTES).toString("hex");
}
