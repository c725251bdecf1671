import { fairShares } from "./fair-shares.ts";
import type { Layout } from "./layout.ts";
import { createPlacement } from "./placement.ts";
import { PARTITION_COUNT } from "./token.ts";
import { virtualNodeCount } from "./validate-layout.ts";

/** What one server holds under a layout; all shares are fractions of 1 and add up to 1 over the servers. */
export interface ServerShare {
  readonly serverId: string;
  readonly zone: string | undefined;
  readonly weight: number;
  readonly virtualNodes: number;
  /** Part of all chunks for which it comes first: reads go there. Not bounded, as moving a first place moves no bytes. */
  readonly primaryShare: number;
  /** Part of all replicas that it holds. */
  readonly totalShare: number;
  /** Part of all replicas that it should hold: its weight, as far as the spread over zones allows. `totalShare` is at most 1.05 of it. */
  readonly fairShare: number;
}

/** Shares of every server, by ascending server id. @throws {AshlarError} INVALID_ARGUMENT for what `validateLayout` refuses. */
export function shares(layout: Layout): readonly ServerShare[] {
  const placement = createPlacement(layout);
  const servers = [...layout.servers].sort((a, b) => (a.serverId < b.serverId ? -1 : 1));
  const primary = new Map<string, number>();
  const total = new Map<string, number>();
  for (let partition = 0; partition < PARTITION_COUNT; partition++) {
    placement.serversOf(partition).forEach((serverId, position) => {
      if (position === 0) primary.set(serverId, (primary.get(serverId) ?? 0) + 1);
      total.set(serverId, (total.get(serverId) ?? 0) + 1);
    });
  }
  const fair = fairShares(servers, placement.replicaCount);
  return servers.map((server, index) => ({
    serverId: server.serverId,
    zone: server.zone,
    weight: server.weight,
    virtualNodes: virtualNodeCount(layout, server),
    primaryShare: (primary.get(server.serverId) ?? 0) / PARTITION_COUNT,
    totalShare: (total.get(server.serverId) ?? 0) / (PARTITION_COUNT * placement.replicaCount),
    fairShare: (fair[index] ?? 0) / placement.replicaCount,
  }));
}
