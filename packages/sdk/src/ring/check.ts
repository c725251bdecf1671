import { fairShares } from "./fair-shares.ts";
import type { Layout, LayoutServer } from "./layout.ts";
import { loadBound } from "./partition-table.ts";
import type { Placement } from "./placement.ts";
import type { Ring } from "./ring.ts";
import { PARTITION_COUNT, virtualNodeToken } from "./token.ts";
import { virtualNodeCount } from "./validate-layout.ts";

/** Every invariant of a ring that does not hold, as sentences; empty when all do. Recomputes each token: for tests and diagnosis. */
export function checkRing(ring: Ring, layout: Layout): readonly string[] {
  const problems: string[] = [];
  const { servers, tokens, serverIndexes } = ring;
  if (tokens.length !== serverIndexes.length)
    problems.push(`${tokens.length} tokens have ${serverIndexes.length} owners`);
  for (let index = 1; index < tokens.length; index++) {
    if ((tokens[index - 1] ?? 0n) > (tokens[index] ?? 0n))
      problems.push(`token ${index} is smaller than the one before it`);
  }
  const owned = servers.map(() => new Set<bigint>());
  tokens.forEach((token, index) => {
    const owner = owned[serverIndexes[index] ?? -1];
    if (owner === undefined) problems.push(`token ${index} belongs to no server`);
    else owner.add(token);
  });
  for (const { serverId } of layout.servers)
    if (!servers.some((server) => server.serverId === serverId)) problems.push(`${serverId} is missing`);
  servers.forEach((server, index) => {
    const before = servers[index - 1];
    if (before !== undefined && before.serverId >= server.serverId) problems.push(`${server.serverId} is out of order`);
    const tokensOfServer = owned[index] ?? new Set();
    const count = virtualNodeCount(layout, server);
    if (tokensOfServer.size !== count)
      problems.push(`${server.serverId} has ${tokensOfServer.size} tokens instead of ${count}`);
    for (let node = 0; node < count; node++) {
      if (!tokensOfServer.has(virtualNodeToken(server.serverId, node)))
        problems.push(`${server.serverId} lacks the token of virtual node ${node}`);
    }
  });
  return problems;
}

/**
 * Every invariant of a placement that does not hold, as sentences; empty when all do.
 *
 * Per partition: the right number of distinct known servers of weight > 0; every prefix spread over the zones. Per server: load within bound.
 */
export function checkPlacement(placement: Placement, layout: Layout): readonly string[] {
  const problems: string[] = [];
  const byId = new Map(layout.servers.map((server) => [server.serverId, server]));
  const live = layout.servers.filter((server) => server.weight > 0);
  const count = Math.min(layout.replicationFactor, live.length);
  if (placement.layoutVersion !== layout.layoutVersion)
    problems.push(`the layout version is ${placement.layoutVersion}`);
  if (placement.replicaCount !== count)
    problems.push(`the replica count is ${placement.replicaCount} instead of ${count}`);
  const loads = new Map<string, number>();
  for (let partition = 0; partition < PARTITION_COUNT; partition++) {
    const servers = placement.serversOf(partition);
    for (const serverId of servers) loads.set(serverId, (loads.get(serverId) ?? 0) + 1);
    if (servers.length !== count)
      problems.push(`partition ${partition} has ${servers.length} servers instead of ${count}`);
    if (new Set(servers).size !== servers.length) problems.push(`partition ${partition} has a server twice`);
    if (servers.some((serverId) => !((byId.get(serverId)?.weight ?? 0) > 0)))
      problems.push(`partition ${partition} has a server that takes no chunks`);
    if (
      !isSpread(
        servers.flatMap((serverId) => byId.get(serverId) ?? []),
        live,
      )
    )
      problems.push(`partition ${partition} is not spread over the zones`);
  }
  const fair = fairShares(layout.servers, count);
  layout.servers.forEach(({ serverId }, index) => {
    const bound = loadBound(fair[index] ?? 0);
    const load = loads.get(serverId) ?? 0;
    if (load > bound) problems.push(`${serverId} holds ${load} replicas, ${bound} at most`);
  });
  return problems;
}

/** Whether each server in turn comes from a zone that, among those with a server left, was used least before it. */
function isSpread(chosen: readonly LayoutServer[], live: readonly LayoutServer[]): boolean {
  const zoneOf = (server: LayoutServer): string => server.zone ?? `:${server.serverId}`;
  return chosen.every((server, position) => {
    const before = chosen.slice(0, position);
    const uses = (zone: string): number => before.filter((other) => zoneOf(other) === zone).length;
    const left = live.filter((other) => !before.includes(other));
    return left.every((other) => uses(zoneOf(other)) >= uses(zoneOf(server)));
  });
}
