import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import type { Layout } from "@ashlar/sdk/ports";
import type { Placement } from "@ashlar/sdk/ring";
import { placementUnder } from "../metadata/replicas-under.ts";
import type { SqlSession } from "./sql-session.ts";

/**
 * The column `format_version` is the placement format, so that earlier releases refuse a layout that they would misplace. Both formats have the same
 * body; it calls nodes servers, as the tables do.
 */
interface LayoutBody {
  readonly replicationFactor: number;
  readonly virtualNodesPerServer: number;
  readonly servers: ReadonlyArray<{ readonly serverId: string; readonly zone?: string; readonly weight: number }>;
}

interface LayoutRow {
  readonly layout_version: number;
  readonly format_version: number;
  readonly body: string;
}

function layoutOf(row: LayoutRow): Layout {
  const { format_version: format } = row;
  if (format < 1 || format > LIMITS.PLACEMENT_FORMAT_NEWEST) {
    throw new AshlarError("STORE_INCOMPATIBLE", "a newer release wrote this layout", {
      details: { formatVersion: String(format) },
    });
  }
  const { servers, virtualNodesPerServer, ...body } = JSON.parse(row.body) as LayoutBody;
  return {
    layoutVersion: row.layout_version,
    ...body,
    virtualNodesPerNode: virtualNodesPerServer,
    ...(format > 1 && { placementFormat: format }),
    nodes: servers.map(({ serverId, ...node }) => ({ nodeId: serverId, ...node })),
  };
}

function bodyOf({ replicationFactor, virtualNodesPerNode, nodes }: Layout): LayoutBody {
  return {
    replicationFactor,
    virtualNodesPerServer: virtualNodesPerNode,
    servers: nodes.map(({ nodeId, zone, weight }) => ({
      serverId: nodeId,
      ...(zone !== undefined && { zone }),
      weight,
    })),
  };
}

export async function readLayout(session: SqlSession, layoutVersion: number): Promise<Layout | undefined> {
  if (layoutVersion === 0) return undefined;
  const [row] = await session.query<LayoutRow>(
    "SELECT layout_version, format_version, body FROM layouts WHERE layout_version = $1",
    [layoutVersion],
  );
  return row === undefined ? undefined : layoutOf(row);
}

export async function readNewestLayout(session: SqlSession): Promise<Layout | undefined> {
  const [row] = await session.query<LayoutRow>(
    "SELECT layout_version, format_version, body FROM layouts ORDER BY layout_version DESC LIMIT 1",
  );
  return row === undefined ? undefined : layoutOf(row);
}

/** The newest layout, then older ones that some chunk row still needs. */
export async function readLayoutsInUse(session: SqlSession): Promise<readonly Layout[]> {
  const rows = await session.query<LayoutRow>(
    `SELECT layout_version, format_version, body FROM layouts l
      WHERE layout_version = (SELECT max(layout_version) FROM layouts)
        OR EXISTS (SELECT 1 FROM chunks c WHERE c.layout_version = l.layout_version)
      ORDER BY layout_version DESC`,
  );
  return rows.map(layoutOf);
}

/** The newest layout, then those that were the newest one at `sinceMs` or later. */
export async function readRecentLayouts(
  session: SqlSession,
  { sinceMs, limit }: { readonly sinceMs: number; readonly limit: number },
): Promise<readonly Layout[]> {
  const rows = await session.query<LayoutRow>(
    `SELECT layout_version, format_version, body FROM layouts
      WHERE layout_version >= COALESCE((SELECT max(layout_version) FROM layouts WHERE created_at_ms <= $1), 0)
      ORDER BY layout_version DESC LIMIT $2`,
    [sinceMs, limit],
  );
  return rows.map(layoutOf);
}

export async function insertLayout(session: SqlSession, layout: Layout): Promise<void> {
  await session.query(
    "INSERT INTO layouts (layout_version, format_version, body, created_at_ms) VALUES ($1, $2, $3, $4)",
    [...[layout.layoutVersion, layout.placementFormat ?? 1, JSON.stringify(bodyOf(layout))], await session.nowMs()],
  );
}

/** The placements of layouts, for many chunk rows: each layout is read once. `undefined` for one that was never written. */
export function placementReader(session: SqlSession): (layoutVersion: number) => Promise<Placement | undefined> {
  const placements = new Map<number, Placement | undefined>();
  return async (layoutVersion) => {
    if (!placements.has(layoutVersion)) {
      const layout = await readLayout(session, layoutVersion);
      placements.set(layoutVersion, layout && placementUnder(layout));
    }
    return placements.get(layoutVersion);
  };
}
