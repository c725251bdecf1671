import { rm } from "node:fs/promises";
import { createSeededRandom, type SeededRandom } from "../../support/seeded-random.ts";
import { type DamageKind, damage, type HealingCounts, heal } from "./damage.ts";
import { fillDisk } from "./full-disk.ts";
import type { Finding } from "./history.ts";
import { type NemesisServers, pause, type Server, signal as sendSignal } from "./servers.ts";
import { lacks } from "./whole.ts";

/**
 * What fails, in four rows that run side by side: nodes, links to nodes, gateways, the database. In each row one fault follows the other, so the copies
 * of two nodes at most are away at a time. After a node lost its disk the next copies are taken for good only when the cluster is whole again, and while
 * copies are taken no link is cut. More would be allowed to lose data, and would prove nothing. The order of the faults, and what they hit, comes from the seed; when they happen depends on the machine too.
 */
const ROWS = {
  node: [
    "kill a node",
    "freeze a node",
    "wipe a node",
    "flip bits",
    "truncate chunks",
    "delete chunks",
    "fill a disk",
    "drain a node",
    "add a node",
    "remove a node",
  ],
  // Only clients and gateways are cut off: the database hears from the node, so that it counts as up.
  link: ["cut a link", "lose the answers of a link", "slow a link"],
  gateway: ["kill a gateway"],
  database: ["kill the database", "restart the database", "freeze the database"],
} as const;

type Row = keyof typeof ROWS;
/** A node that is away for so long is left out of the layout; too long for a short run. */
const AWAY = "keep a node away";
export type FaultKind = (typeof ROWS)[Row][number] | typeof AWAY;

const WIPE: FaultKind = "wipe a node";
const AWAY_MS = 45_000;
const LONG_RUN_SECONDS = 150;
/** Shortest and longest pause before a fault, in ms. */
const PAUSES: Readonly<Record<Row, readonly [number, number]>> = {
  node: [300, 1500],
  link: [2000, 6000],
  gateway: [6000, 13_000],
  database: [8000, 14_000],
};
const NODES_MIN = 5;
const NODES_MAX = 7;
/** In a long run, long enough for the claims of a gateway that was killed to end. */
const WHOLE_LIMIT_MS = 150_000;
const WHOLE_LIMIT_SHORT_MS = 8000;
const LEAVE_LIMIT_MS = 30_000;

/** One fault as the seed gives it. */
export interface Fault {
  readonly kind: FaultKind;
  /** Which of those that there are, in [0, 1). */
  readonly which: number;
  /** How long, in [0, 1). */
  readonly length: number;
  readonly pause: number;
  /** For what it needs besides. */
  readonly seed: number;
}

/** The faults of one row, without end: all kinds in an order of their own, again and again. */
export function* faultsOf(
  row: Row,
  { seed, isLong }: { readonly seed: number; readonly isLong: boolean },
): Generator<Fault> {
  const random = createSeededRandom(seed * 31 + Object.keys(ROWS).indexOf(row));
  const kinds: readonly FaultKind[] = row === "node" && isLong ? [...ROWS.node, AWAY] : ROWS[row];
  for (;;) {
    for (const kind of shuffled(kinds, random)) {
      const [which, length, rest] = [random.fraction(), random.fraction(), random.fraction()];
      yield { kind, which, length, pause: rest, seed: random.below(2 ** 31) };
    }
  }
}

/** After a lost disk, other faults have to wait until the cluster is whole: a short run would have nothing else. */
function shuffled(kinds: readonly FaultKind[], random: SeededRandom): readonly FaultKind[] {
  const left = kinds.filter((kind) => kind !== WIPE);
  const deck: FaultKind[] = [];
  while (left.length > 0) deck.push(...left.splice(random.below(left.length), 1));
  const half = Math.ceil(deck.length / 2);
  if (kinds.includes(WIPE)) deck.splice(half + random.below(deck.length - half + 1), 0, WIPE);
  return deck;
}

/** What the nemesis did. */
export interface FaultRecord {
  readonly counts: Map<string, number>;
  readonly healing: HealingCounts;
  /** When nodes lost their disks, by the monotonic clock. */
  readonly wipes: Array<{ readonly nodeId: string; readonly atMs: number }>;
  /** Faults that could not be undone. */
  readonly findings: Finding[];
  /** What holds the links, and the copies that are taken for good: one of them at a time. */
  busy: "link" | "copies" | undefined;
  lastEndedAtMs: number;
}

/** What {@link runFaults} takes. */
export interface FaultOptions {
  readonly servers: NemesisServers;
  readonly seed: number;
  readonly seconds: number;
  readonly record: FaultRecord;
  readonly say: (line: string) => void;
  /** Ends the faults; each is undone first. */
  readonly signal: AbortSignal;
}

export function createFaultRecord(): FaultRecord {
  const healing = { damaged: 0, met: 0, putAgain: 0, unwanted: 0 };
  return { counts: new Map(), healing, wipes: [], findings: [], busy: undefined, lastEndedAtMs: performance.now() };
}

/** Runs until the signal, and leaves every server running. */
export async function runFaults(options: FaultOptions): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const rows = (Object.keys(ROWS) as Row[]).map((row) =>
    runRow(row, { ...options, signal }).catch((error: unknown) => {
      // The other rows undo what they have begun.
      failed.abort();
      throw error;
    }),
  );
  const ended = await Promise.allSettled(rows);
  for (const row of ended) if (row.status === "rejected") throw row.reason;
}

async function runRow(row: Row, options: FaultOptions): Promise<void> {
  const { seed, seconds, signal, say, record } = options;
  const [shortest, longest] = PAUSES[row];
  for (const fault of faultsOf(row, { seed, isLong: seconds >= LONG_RUN_SECONDS })) {
    await rest(shortest + fault.pause * (longest - shortest), signal);
    if (signal.aborted) return;
    const what = await cause(fault, options);
    record.counts.set(what.kind, (record.counts.get(what.kind) ?? 0) + 1);
    record.lastEndedAtMs = performance.now();
    say(`${what.kind}: ${what.of}`);
  }
}

/** A pause that the signal ends. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  const untilMs = performance.now() + ms;
  while (!signal.aborted && performance.now() < untilMs)
    await pause(Math.min(100, Math.max(1, untilMs - performance.now())));
}

/** What happened: a fault that is not allowed now becomes another. */
interface Caused {
  readonly kind: FaultKind;
  readonly of: string;
}

async function cause(fault: Fault, options: FaultOptions): Promise<Caused> {
  const { servers, signal } = options;
  const { kind, which, length } = fault;
  const node = servers.nodes[Math.floor(which * servers.nodes.length)] as Server;
  const of = node.name;
  switch (kind) {
    case "kill a node":
      await kill(node, 500 + length * 5000, signal);
      return { kind, of };
    case AWAY:
      await kill(node, AWAY_MS, signal);
      return { kind, of };
    case "freeze a node":
      await freezeNode(node, 1000 + length * 6000, signal);
      return { kind, of };
    case "flip bits":
    case "truncate chunks":
    case "delete chunks":
      return await takeForGood(fault, node, options, () => damageAndHeal(fault, node, options));
    case "fill a disk":
      return await fill(fault, options);
    case "wipe a node":
      return await takeForGood(fault, node, options, () => wipe(node, options));
    case "drain a node":
      await drain(node, 2000 + length * 6000, options);
      return { kind, of };
    case "add a node":
      if (servers.nodes.length >= NODES_MAX) return await cause({ ...fault, kind: "remove a node" }, options);
      return { kind, of: (await servers.addNode()).name };
    case "remove a node":
      if (servers.nodes.length <= NODES_MIN) return await cause({ ...fault, kind: "add a node" }, options);
      await remove(node, options);
      return { kind, of };
    case "cut a link":
    case "lose the answers of a link":
    case "slow a link":
      await alone("link", options, () => hurtLink(kind, node, 1000 + length * 6000, signal));
      return { kind, of };
    case "kill a gateway": {
      const gateway = servers.gateways[Math.floor(which * servers.gateways.length)] as Server;
      await kill(gateway, length * 3000, signal);
      return { kind, of: gateway.name };
    }
    case "kill the database":
    case "restart the database":
      await (kind === "kill the database" ? servers.postgres.kill() : servers.postgres.stop());
      await rest(length * 3000, signal);
      await servers.postgres.start();
      return { kind, of: "postgres" };
    case "freeze the database":
      await freezeDatabase(servers, 1000 + length * 5000, signal);
      return { kind, of: "postgres" };
  }
}

async function kill(server: Server, awayMs: number, signal: AbortSignal): Promise<void> {
  await server.kill();
  await rest(awayMs, signal);
  await server.start();
}

const SLOW_BYTES_PER_SECOND = 64 * 1024;

async function hurtLink(kind: FaultKind, { link }: Server, hurtMs: number, signal: AbortSignal): Promise<void> {
  if (link === undefined) throw new Error("nodes have links");
  if (kind === "cut a link") link.stop();
  else if (kind === "slow a link") link.throttle(SLOW_BYTES_PER_SECOND);
  else link.swallowAnswers(true);
  await rest(hurtMs, signal);
  link.resume();
  link.throttle(undefined);
  link.swallowAnswers(false);
  // Connections that lack a part of an answer would wait for it for ever.
  if (kind === "lose the answers of a link") link.cut();
}

/** Runs something while the other kind does not run. */
async function alone<T>(
  what: "link" | "copies",
  { record }: Pick<FaultOptions, "record">,
  run: () => Promise<T>,
): Promise<T> {
  while (record.busy !== undefined) await pause(50);
  record.busy = what;
  try {
    return await run();
  } finally {
    record.busy = undefined;
  }
}

async function freezeNode(node: Server, frozenMs: number, signal: AbortSignal): Promise<void> {
  node.freeze();
  await rest(frozenMs, signal);
  node.thaw();
}

/** The process that starts the others is stopped first, so that no new one goes on. */
async function freezeDatabase(servers: NemesisServers, frozenMs: number, signal: AbortSignal): Promise<void> {
  const [main] = servers.postgresPids();
  if (main === undefined) return;
  sendSignal(main, "SIGSTOP");
  const all = servers.postgresPids();
  for (const pid of all) sendSignal(pid, "SIGSTOP");
  await rest(frozenMs, signal);
  for (const pid of [...all].reverse()) sendSignal(pid, "SIGCONT");
}

/**
 * Takes copies for good. What an acknowledged write has lacked since is no reason to wait, because a quorum has it; but once a node has lost its disk, the
 * next one has to wait until the cluster is whole. If that takes too long, the node is killed instead.
 */
async function takeForGood(
  fault: Fault,
  node: Server,
  { servers, seconds, record, signal }: FaultOptions,
  take: () => Promise<void>,
): Promise<Caused> {
  const limitMs = performance.now() + (seconds >= LONG_RUN_SECONDS ? WHOLE_LIMIT_MS : WHOLE_LIMIT_SHORT_MS);
  while (record.wipes.length > 0 && (await lacks(servers)).length > 0) {
    if (performance.now() > limitMs || signal.aborted) {
      await kill(node, 500 + fault.length * 5000, signal);
      return { kind: "kill a node", of: node.name };
    }
    await rest(250, signal);
  }
  await alone("copies", { record }, take);
  return { kind: fault.kind, of: node.name };
}

/** Where no disk may be mounted, a node is killed instead. Half of the nodes start again while the disk is full. */
async function fill(fault: Fault, { servers, signal, record }: FaultOptions): Promise<Caused> {
  const { which, length, seed } = fault;
  const withDisk = servers.nodes.filter(({ disk }) => disk !== undefined);
  const node = withDisk[Math.floor(which * withDisk.length)];
  if (node === undefined) {
    const killed = servers.nodes[Math.floor(which * servers.nodes.length)] as Server;
    await kill(killed, 500 + length * 5000, signal);
    return { kind: "kill a node", of: killed.name };
  }
  const filled = { servers, node, isRestarted: seed % 2 === 0, seed, rest: () => rest(1000 + length * 6000, signal) };
  record.findings.push(...(await fillDisk(filled)));
  return { kind: "fill a disk", of: filled.isRestarted ? `${node.name}, and start it again meanwhile` : node.name };
}

async function wipe(node: Server, { record }: FaultOptions): Promise<void> {
  record.wipes.push({ nodeId: node.name, atMs: performance.now() });
  await node.kill();
  await rm(node.folder as string, { recursive: true });
  await node.start();
}

const DAMAGES: Readonly<Partial<Record<FaultKind, DamageKind>>> = {
  "flip bits": "flip",
  "truncate chunks": "truncate",
  "delete chunks": "delete",
};

async function damageAndHeal(fault: Fault, node: Server, { servers, record }: FaultOptions): Promise<void> {
  const random: SeededRandom = createSeededRandom(fault.seed);
  const kind = DAMAGES[fault.kind] as DamageKind;
  const files = await damage(servers, { node, kind, random });
  const left = await heal(servers, files, { node, kind, counts: record.healing });
  for (const { chunkId } of left) {
    const expected = "a good copy, after the same content was put again";
    record.findings.push({
      kind: "lost",
      key: chunkId,
      expected,
      found: "a damaged one",
      where: `${node.name}, ${fault.kind}`,
    });
  }
}

async function drain(node: Server, drainedMs: number, { servers, signal }: FaultOptions): Promise<void> {
  await changeLayout(servers, { weights: { [node.name]: 0 } });
  await rest(drainedMs, signal);
  await changeLayout(servers, { weights: { [node.name]: 1 } });
}

/** Takes a node out as the manual says: it runs until nothing follows a layout that names it. */
async function remove(node: Server, { servers, signal }: FaultOptions): Promise<void> {
  servers.nodes.splice(servers.nodes.indexOf(node), 1);
  servers.leaving.push(node);
  await changeLayout(servers, { removeNodeIds: [node.name] });
  const limitMs = performance.now() + LEAVE_LIMIT_MS;
  while (!(await stopIfUnneeded(servers, node)) && performance.now() < limitMs && !signal.aborted)
    await rest(250, signal);
}

/** Stops a node that was removed, if no layout in use names it. @returns whether it did. */
export async function stopIfUnneeded(servers: NemesisServers, node: Server): Promise<boolean> {
  const { metadata, leaving } = servers;
  const { layouts } = await metadata.clusterSnapshot().catch(() => ({ layouts: [] }));
  if (layouts.length === 0 || layouts.some(({ nodes }) => nodes.some(({ nodeId }) => nodeId === node.name)))
    return false;
  await node.kill();
  leaving.splice(leaving.indexOf(node), 1);
  await servers.dropDisk(node);
  return true;
}

const LAYOUT_TRIES = 20;

/** The database may be away. */
async function changeLayout(
  { metadata }: NemesisServers,
  change: Parameters<NemesisServers["metadata"]["changeLayout"]>[0],
): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await metadata.changeLayout(change);
      return;
    } catch (error) {
      if (tries === LAYOUT_TRIES) throw error;
      await pause(500);
    }
  }
}
