import type { Peer } from "./exchange.ts";

/** How many of one kind of request may run at once; a peer that nobody can tell counts only in all. */
export interface SlotPoolLimits {
  readonly max: number;
  readonly perAddressMax?: number | undefined;
  readonly perConnectionMax?: number | undefined;
}

/** Slots that are taken and given back. */
export interface SlotPool {
  /** @returns how to give the slot back, to be called once; `undefined` if there is none for this peer. */
  take(peer: Peer | undefined): (() => void) | undefined;
  takenCount(): number;
  isFull(): boolean;
}

/** A pool with a bound in all, and bounds for what one address and one connection can have of it. */
export function createSlotPool(limits: SlotPoolLimits): SlotPool {
  const { max, perAddressMax = max, perConnectionMax = max } = limits;
  const ofAddress = new Map<string, number>();
  const ofConnection = new Map<object, number>();
  let taken = 0;
  return {
    take(peer) {
      if (taken >= max) return undefined;
      if (peer !== undefined) {
        if ((ofAddress.get(peer.address) ?? 0) >= perAddressMax) return undefined;
        if ((ofConnection.get(peer.connection) ?? 0) >= perConnectionMax) return undefined;
        add(ofAddress, peer.address, 1);
        add(ofConnection, peer.connection, 1);
      }
      taken++;
      return () => {
        taken--;
        if (peer === undefined) return;
        add(ofAddress, peer.address, -1);
        add(ofConnection, peer.connection, -1);
      };
    },
    takenCount: () => taken,
    isFull: () => taken >= max,
  };
}

function add<Key>(counts: Map<Key, number>, key: Key, difference: number): void {
  const count = (counts.get(key) ?? 0) + difference;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
