import type { Durability } from "@ashlar/sdk";
import { TRANSPORT_NAMES, type TransportName } from "./app/client-spec.ts";

/** One row of the table: a seat over a transport against servers. */
export interface RowSpec {
  /** What `--only` is matched against. */
  readonly id: string;
  readonly seat: "embedded" | "in-process" | "gateway" | "direct";
  readonly transport?: TransportName | undefined;
  /** `one`: `ashlar serve`; `cluster`: six nodes, three copies, a gateway, PostgreSQL. Each server is a process of its own. */
  readonly servers: "none" | "one" | "cluster";
  readonly durability: Durability;
  /** Core that the server stays on; such a row is about small objects only. */
  readonly core?: number | undefined;
}

/** All rows, in the order in which they run and are shown. */
export const ROWS: readonly RowSpec[] = [
  { id: "embedded/strict", seat: "embedded", servers: "none", durability: "strict" },
  { id: "embedded/os", seat: "embedded", servers: "none", durability: "os" },
  { id: "in-process/os", seat: "in-process", servers: "none", durability: "os" },
  { id: "one/gateway/undici/strict", seat: "gateway", transport: "undici", servers: "one", durability: "strict" },
  ...overEveryTransport("one", "gateway"),
  {
    id: "one/gateway/undici/one-core",
    seat: "gateway",
    transport: "undici",
    servers: "one",
    durability: "os",
    core: 0,
  },
  ...overEveryTransport("cluster", "gateway"),
  ...overEveryTransport("cluster", "direct"),
];

function overEveryTransport(servers: "one" | "cluster", seat: "gateway" | "direct"): readonly RowSpec[] {
  return TRANSPORT_NAMES.map((transport) => ({
    id: `${servers}/${seat}/${transport}`,
    seat,
    transport,
    servers,
    durability: "os",
  }));
}
