import type { Clock } from "../ports/index.ts";

/** How long a server that did not answer is asked last and not waited for, in ms. */
const SUSPECT_MS = 5000;

/** Servers that failed lately. Only a hint about order and patience: a suspect is still asked. */
export interface Suspects {
  add(serverId: string): void;
  has(serverId: string): boolean;
  delete(serverId: string): void;
}

export function createSuspects(clock: Clock): Suspects {
  const untilMs = new Map<string, number>();
  return {
    add: (serverId) => void untilMs.set(serverId, clock.monotonicMs() + SUSPECT_MS),
    has: (serverId) => (untilMs.get(serverId) ?? 0) > clock.monotonicMs(),
    delete: (serverId) => void untilMs.delete(serverId),
  };
}
