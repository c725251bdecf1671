import type { LayoutServer } from "./layout.ts";

/** Failure domain of each server, by server index: 0, 1, … in order of first appearance. A server without a zone is alone in one. */
export function zoneIndexes(servers: readonly LayoutServer[]): Uint16Array {
  const known = new Map<string, number>();
  return Uint16Array.from(servers, (server) => {
    // A colon cannot occur in a zone name, so an unnamed zone never meets a named one.
    const name = server.zone ?? `:${server.serverId}`;
    const index = known.get(name) ?? known.size;
    known.set(name, index);
    return index;
  });
}

/**
 * Orders servers for one partition: again and again the nearest server of a zone that was used least so far.
 *
 * So every prefix of the result is spread over as many zones as it can be.
 *
 * @param candidates distinct server indexes; not changed.
 * @param distanceOf distance of a server from the partition; equal distances go by ascending index.
 * @returns the first `count` in preference order, fewer where there are fewer candidates.
 */
export function spreadOrder(
  candidates: readonly number[],
  options: { readonly zones: Uint16Array; readonly count: number; readonly distanceOf: (server: number) => number },
): number[] {
  const { zones, count, distanceOf } = options;
  const chosen: number[] = [];
  while (chosen.length < Math.min(count, candidates.length)) {
    let best = -1;
    let bestUses = Number.POSITIVE_INFINITY;
    let bestDistance = Number.POSITIVE_INFINITY;
    for (const server of candidates) {
      if (chosen.includes(server)) continue;
      const uses = zoneUses(chosen, zones, zones[server] ?? 0);
      if (uses > bestUses) continue;
      const distance = distanceOf(server);
      if (uses === bestUses && (distance > bestDistance || (distance === bestDistance && server > best))) continue;
      best = server;
      bestUses = uses;
      bestDistance = distance;
    }
    chosen.push(best);
  }
  return chosen;
}

/** How many of `servers` lie in `zone`. */
export function zoneUses(servers: Iterable<number>, zones: Uint16Array, zone: number): number {
  let uses = 0;
  for (const server of servers) if (zones[server] === zone) uses++;
  return uses;
}
