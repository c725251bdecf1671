import type { Clock, Random } from "@ashlar/sdk/ports";

const RANDOM_BYTES = 10;
const TIME_HEX = 12;

/**
 * A new id for an object version, manifest, upload or repair: 32 hex characters, 48 bits of time in ms and 80 random bits. The time in front
 * keeps new rows together in an index; nothing may rely on the order.
 */
export function newId(clock: Clock, random: Random): string {
  const time = Math.max(0, Math.floor(clock.nowMs())).toString(16).padStart(TIME_HEX, "0").slice(-TIME_HEX);
  return time + Buffer.from(random.bytes(RANDOM_BYTES)).toString("hex");
}
