import { createHash } from "node:crypto";
import { AshlarError } from "@ashlar/sdk/errors";
import { digestFromBytes } from "@ashlar/sdk/hash";
import { BUCKET, isLoss, type Ledger, lossFinding, readCounter, readOnce, type Upload } from "./clients.ts";
import { type Contents, chunkIdsOf } from "./contents.ts";
import type { FaultRecord } from "./faults.ts";
import { ABSENT, type Finding, type KeyHistory } from "./history.ts";
import type { NemesisServers, Seat } from "./servers.ts";
import { chunkFile, newestPlacement, readIfThere } from "./whole.ts";

const READS_AT_ONCE = 6;

/** What the checks take. */
export interface CheckOptions {
  readonly servers: NemesisServers;
  readonly ledger: Ledger;
  readonly contents: Contents;
  readonly record: FaultRecord;
}

/** Runs `work` for each item, some side by side. */
async function each<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items];
  const lane = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: READS_AT_ONCE }, lane));
}

/** Reads every key through every seat, and lists them. Nothing is written any more, so all seats must find the same. */
export async function checkObjects({ servers, ledger, contents }: CheckOptions): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const present = new Set<string>();
  for (const [index, seat] of servers.seats.entries()) {
    await each(ledger.histories, async (history) => {
      const finding = await readBack(history, { seat, contents, isFirst: index === 0, present });
      if (finding !== undefined) findings.push(finding);
    });
    for (const counter of ledger.counters) {
      const read = await readCounter(counter.key, seat).catch((error: unknown) => AshlarError.from(error));
      const where = `read back, ${seat.name}`;
      if (read instanceof Error) findings.push(lossFinding(counter.key, read));
      else findings.push(...[counter.endAll(read?.count, where)].filter((finding) => finding !== undefined));
    }
    findings.push(...(await checkListing(seat, present)));
  }
  return findings;
}

async function readBack(
  history: KeyHistory,
  { seat, contents, isFirst, present }: { seat: Seat; contents: Contents; isFirst: boolean; present: Set<string> },
): Promise<Finding | undefined> {
  try {
    return await readOnce(history, {
      ...{ seat, contents },
      onFound(value) {
        if (isFirst && history.allowed().has(value)) history.narrow(value);
        if (isFirst && value !== ABSENT) present.add(history.key);
      },
    });
  } catch (thrown) {
    const error = AshlarError.from(thrown);
    if (isLoss(error)) return lossFinding(history.key, error);
    const { code, message } = error;
    return { kind: "lost", key: history.key, expected: "an answer", found: `${code}: ${message}`, where: seat.name };
  }
}

async function checkListing({ name, client }: Seat, present: ReadonlySet<string>): Promise<readonly Finding[]> {
  const listed = new Set<string>();
  for await (const entry of client.listObjects({ bucket: BUCKET, prefix: "w" }))
    if (entry.type === "object") listed.add(entry.key);
  const missing = [...present].filter((key) => !listed.has(key));
  const extra = [...listed].filter((key) => !present.has(key));
  const where = `listing, ${name}`;
  return [
    ...missing.map((key): Finding => ({ kind: "lost", key, where, expected: "an entry", found: "none" })),
    ...extra.map((key): Finding => ({ kind: "wrong", key, where, expected: "no entry", found: "an entry" })),
  ];
}

/** What the nodes hold, compared with what the rows and the newest layout want. */
export interface CopiesCheck {
  readonly findings: readonly Finding[];
  readonly chunkCount: number;
  /**
   * Copies that are missing in the way that decision 0052 knows of: their node gave a receipt, lost its disk, and the walk had passed when the write was
   * committed. The next reader that misses them queues them. Only here the run is lenient.
   */
  readonly receiptsOfLostDisks: number;
}

/** Looks into the folders of the nodes. */
export async function checkCopies({ servers, ledger, record }: CheckOptions): Promise<CopiesCheck> {
  const placement = await newestPlacement(servers.metadata);
  const rows = await servers.query<{ readonly id: string; readonly size: string }>(
    "SELECT encode(chunk_id, 'hex') AS id, size_bytes AS size FROM chunks WHERE reference_count > 0",
  );
  const findings: Finding[] = [];
  let receiptsOfLostDisks = 0;
  const wanted = rows.flatMap(({ id, size }) =>
    placement.nodesOf(digestFromBytes(Buffer.from(id, "hex"))).map((nodeId) => ({ id, size: Number(size), nodeId })),
  );
  const uploaded = uploadsDuringWipes(ledger.uploads, record);
  await each(wanted, async ({ id, size, nodeId }) => {
    const node = servers.nodes.find(({ name }) => name === nodeId);
    const file = node && (await readIfThere(chunkFile(node, id)));
    const found = file && createHash("sha256").update(file.subarray(0, size)).digest("hex");
    if (found === id) return;
    if (file === undefined && uploaded.get(nodeId)?.has(id)) receiptsOfLostDisks++;
    else
      findings.push({
        kind: "lost",
        key: id,
        where: nodeId,
        expected: "a copy",
        found: found ? "another file" : "none",
      });
  });
  return { findings, chunkCount: rows.length, receiptsOfLostDisks };
}

/** By node, the chunks that were on their way when it lost its disk. */
function uploadsDuringWipes(
  uploads: readonly Upload[],
  { wipes }: FaultRecord,
): ReadonlyMap<string, ReadonlySet<string>> {
  const byNode = new Map<string, Set<string>>();
  for (const { nodeId, atMs } of wipes) {
    const chunks = byNode.get(nodeId) ?? new Set<string>();
    byNode.set(nodeId, chunks);
    for (const { body, beganAtMs, endedAtMs } of uploads)
      if (beganAtMs <= atMs && atMs <= endedAtMs) for (const id of chunkIdsOf(body())) chunks.add(id);
  }
  return byNode;
}
