/**
 * What placing chunks costs, and what a change of the layout moves, for both placement formats: processor time and size of the table, time of one placement,
 * the fullest node ÷ its fair share, and replicas that change their node ÷ replicas of the node that joins or leaves (or that a node gains or loses
 * by another weight), mean / worst over some sets of node names. Least possible is 1. Prints a table in Markdown.
 *
 * Run: npm run bench:placement -- [format=2] [node counts=3,10,30,100,300,1000]
 */
import { digestFromBytes } from "@ashlar/sdk/hash";
import { createPlacement, type Layout, type LayoutNode, type Placement } from "@ashlar/sdk/ring";

const placementFormat = Number(process.argv[2] ?? 2);
const counts = (process.argv[3] ?? "3,10,30,100,300,1000").split(",").map(Number);
const REPLICAS = 3;
const ZONES = 3;
/** Few nodes take little time and vary most. */
const setsOf = (count: number): number => (count < 100 ? 20 : 5);
const PREFIXES = ["node-", "srv", "stone.", "10.0.0.", "storage-eu-west-1-"];
const CHUNKS = Array.from({ length: 4096 }, () => digestFromBytes(crypto.getRandomValues(new Uint8Array(32))));

interface Measured {
  readonly placement: Placement;
  readonly loads: ReadonlyMap<string, number>;
  readonly tableMs: number;
}

function layoutOf(nodes: readonly LayoutNode[]): Layout {
  return { layoutVersion: 1, replicationFactor: REPLICAS, virtualNodesPerNode: 150, placementFormat, nodes };
}

function measure(nodes: readonly LayoutNode[]): Measured {
  const start = process.cpuUsage();
  const placement = createPlacement(layoutOf(nodes));
  placement.nodesOfPartition(0);
  const { user, system } = process.cpuUsage(start);
  const tableMs = (user + system) / 1000;
  const loads = new Map<string, number>();
  for (let partition = 0; partition < placement.partitionCount; partition++)
    for (const nodeId of placement.nodesOfPartition(partition)) loads.set(nodeId, (loads.get(nodeId) ?? 0) + 1);
  return { placement, loads, tableMs };
}

/** Replicas on nodes that did not hold them before. */
function movedReplicas(before: Placement, after: Placement): number {
  let moved = 0;
  for (let partition = 0; partition < after.partitionCount; partition++) {
    const held = before.nodesOfPartition(partition);
    for (const nodeId of after.nodesOfPartition(partition)) if (!held.includes(nodeId)) moved++;
  }
  return moved;
}

function placementNs(placement: Placement): number {
  const rounds = 50;
  const startMs = performance.now();
  for (let round = 0; round < rounds; round++) for (const chunkId of CHUNKS) placement.nodesOf(chunkId);
  return ((performance.now() - startMs) * 1e6) / (rounds * CHUNKS.length);
}

interface Figures {
  readonly tableMs: number;
  readonly placementNs: number;
  readonly fullest: number;
  readonly oneMore: number;
  readonly betweenOld: number;
  readonly double: number;
  readonly half: number;
}

function figuresOf(count: number, options: { readonly set: number; readonly zones: boolean }): Figures {
  const { set, zones } = options;
  const prefix = `${PREFIXES[set % PREFIXES.length]}${set < PREFIXES.length ? "" : `${set}-`}`;
  const nodes = Array.from({ length: count + 1 }, (_, index): LayoutNode => {
    return { nodeId: `${prefix}${index + 1}`, weight: 1, ...(zones && { zone: `zone-${index % ZONES}` }) };
  });
  const few = nodes.slice(0, count);
  const [before, more] = [measure(few), measure(nodes)];
  const total = before.placement.partitionCount * before.placement.replicaCount;
  const share = more.loads.get(`${prefix}${count + 1}`) ?? 0;
  const moved = movedReplicas(before.placement, more.placement);
  const weighed = (weight: number): number => {
    const after = measure(few.map((node, index) => (index === 0 ? { ...node, weight } : node)));
    const first = `${prefix}1`;
    const change = Math.abs((after.loads.get(first) ?? 0) - (before.loads.get(first) ?? 0));
    return movedReplicas(before.placement, after.placement) / change;
  };
  // With zones of different sizes a node's fair share is not the mean.
  const isEven = !zones || count % ZONES === 0;
  const isMovable = count > REPLICAS && !zones;
  return {
    tableMs: before.tableMs,
    placementNs: placementNs(before.placement),
    fullest: isEven ? Math.max(...before.loads.values()) / (total / count) : Number.NaN,
    oneMore: moved / share,
    betweenOld: moved / share - 1,
    double: isMovable ? weighed(2) : Number.NaN,
    half: isMovable ? weighed(0.5) : Number.NaN,
  };
}

function shown(values: readonly number[]): string {
  if (values.some(Number.isNaN)) return "";
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return `${mean.toFixed(3)} / ${Math.max(...values).toFixed(3)}`;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

console.log(`placement format ${placementFormat}, ${REPLICAS} copies\n`);
console.log(
  "| nodes, zones | table, CPU ms | placement, ns | table, KiB | fullest | one more, one less | between old nodes | weight 2 | weight ½ |",
);
console.log("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
for (const count of counts) {
  for (const zones of [false, true]) {
    const sets = Array.from({ length: setsOf(count) }, (_, set) => figuresOf(count, { set, zones }));
    const of = (name: keyof Figures): number[] => sets.map((figures) => figures[name]);
    const { partitionCount } = createPlacement(layoutOf([{ nodeId: "one", weight: 1 }]));
    const kib = (partitionCount * REPLICAS * 2) / 1024;
    console.log(
      `| ${count}, ${zones ? ZONES : "–"} | ${median(of("tableMs")).toFixed(0)} | ${median(of("placementNs")).toFixed(0)} | ${kib} | ${[shown(of("fullest")), shown(of("oneMore")), shown(of("betweenOld")), shown(of("double")), shown(of("half"))].join(" | ")} |`,
    );
  }
}
