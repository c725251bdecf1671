import { AshlarError } from "@ashlar/sdk/errors";
import { createSeededRandom, type SeededRandom } from "../../support/seeded-random.ts";
import type { Contents } from "./contents.ts";
import { ABSENT, CounterHistory, type Finding, KeyHistory, type Outcome, type ValueId } from "./history.ts";
import { pause, type Seat } from "./servers.ts";

export const BUCKET = "nemesis";
const WRITERS = 8;
const KEYS_EACH = 30;
const READERS = 3;
const COUNTERS = 3;
const COUNTING_WRITERS = 4;
const CALL_LIMIT_MS = 20_000;
/** A write of unknown outcome is tried again under its operation id, for this long in all. */
const SETTLE_LIMIT_MS = 45_000;
/** One of so many writes of unknown outcome is not tried again, and its key is not written any more. */
const UNSETTLED_EVERY = 4;
const PAUSE_AFTER_FAILURE_MS = 200;

/** A body on its way: a node that loses its disk meanwhile may have given a receipt for it. Times by the monotonic clock. */
export interface Upload {
  readonly body: () => Uint8Array;
  readonly beganAtMs: number;
  /** Infinite while it runs, and if its outcome is unknown. */
  endedAtMs: number;
}

/** What the clients did, and what they know. */
export interface Ledger {
  readonly histories: readonly KeyHistory[];
  readonly counters: readonly CounterHistory[];
  readonly findings: Finding[];
  readonly uploads: Upload[];
  /** How often, by operation and how it ended. */
  readonly counts: Map<string, number>;
  /** Codes of errors, by operation. */
  readonly codes: Map<string, number>;
  readonly gaps: { readonly writes: Gap; readonly reads: Gap };
}

/** The longest time between two successes. */
export class Gap {
  #lastMs = performance.now();
  #longestMs = 0;

  #hasEnded = false;

  note(): void {
    if (this.#hasEnded) return;
    const nowMs = performance.now();
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
  }

  /** What comes later is no gap: the last clients only ask what became of their writes. */
  end(): void {
    this.note();
    this.#hasEnded = true;
  }

  longestMs(): number {
    return this.#longestMs;
  }
}

/** What {@link runClients} takes. */
export interface ClientOptions {
  readonly seed: number;
  readonly seats: readonly Seat[];
  readonly contents: Contents;
  /** Most new writes in a second, so that a long run does not fill the disk. */
  readonly writesPerSecond: number;
  readonly ledger: Ledger;
  /** Ends the clients; each finishes what it is doing. */
  readonly signal: AbortSignal;
}

export function createLedger(): Ledger {
  const keys = Array.from({ length: WRITERS * KEYS_EACH }, (_, index) => `w${index % WRITERS}/key-${index}`);
  return {
    histories: keys.map((key) => new KeyHistory(key)),
    counters: Array.from({ length: COUNTERS }, (_, index) => new CounterHistory(`counter-${index}`)),
    ...{ findings: [], uploads: [], counts: new Map(), codes: new Map() },
    gaps: { writes: new Gap(), reads: new Gap() },
  };
}

/** One client, and what all share. */
interface Worker extends ClientOptions {
  readonly random: SeededRandom;
  readonly nextValue: () => ValueId;
  readonly paced: () => Promise<void>;
}

/** Runs until the signal. Every client takes any of the seats for each call. */
export async function runClients(options: ClientOptions): Promise<void> {
  const { seed, ledger, writesPerSecond } = options;
  let value = 0;
  let freeAtMs = performance.now();
  const shared = {
    nextValue: () => ++value,
    async paced() {
      freeAtMs = Math.max(freeAtMs, performance.now() - 1000) + 1000 / writesPerSecond;
      await pause(Math.max(0, freeAtMs - performance.now()));
    },
  };
  const worker = (index: number): Worker => ({
    ...options,
    ...shared,
    random: createSeededRandom(seed * 1000 + index),
  });
  const writers = Array.from({ length: WRITERS }, (_, index) => {
    const own = ledger.histories.filter((_history, at) => at % WRITERS === index);
    return writeKeys(worker(index), own);
  });
  const readers = Array.from({ length: READERS }, (_, index) => readKeys(worker(100 + index)));
  const counting = Array.from({ length: COUNTING_WRITERS }, (_, index) => count(worker(200 + index)));
  await Promise.all([...writers, ...readers, ...counting]);
}

function beginUpload({ uploads }: Ledger, body: () => Uint8Array): Upload {
  const upload: Upload = { body, beganAtMs: performance.now(), endedAtMs: Number.POSITIVE_INFINITY };
  uploads.push(upload);
  return upload;
}

const pick = <Item>(random: SeededRandom, items: readonly Item[]): Item => items[random.below(items.length)] as Item;

async function writeKeys(worker: Worker, own: readonly KeyHistory[]): Promise<void> {
  const { random, signal, paced } = worker;
  const retired = new Set<KeyHistory>();
  while (!signal.aborted) {
    const usable = own.filter((history) => !retired.has(history));
    if (usable.length === 0) return;
    const history = pick(random, usable);
    await paced();
    const draw = random.fraction();
    if (draw < 0.15) await remove(worker, history);
    else if (draw < 0.2) await putIfAbsent(worker, history);
    else if (draw < 0.35) await read(worker, history);
    else await put(worker, history);
    // Its last write may still happen at any time: what would be written after it could be replaced.
    if (history.known() === undefined) retired.add(history);
  }
}

async function put(worker: Worker, history: KeyHistory): Promise<void> {
  const value = worker.nextValue();
  const body = worker.contents.bytesOf(value);
  const upload = beginUpload(worker.ledger, () => worker.contents.bytesOf(value));
  history.begin(value);
  const { key } = history;
  const outcome = await settle(worker, { what: "put", value, history }, (seat, call) =>
    seat.client.putObject({ bucket: BUCKET, key, body, ...call }),
  );
  if (outcome !== "unknown") upload.endedAtMs = performance.now();
  history.end(outcome);
}

async function remove(worker: Worker, history: KeyHistory): Promise<void> {
  const before = history.known();
  const { key } = history;
  history.begin(ABSENT);
  const outcome = await settle(worker, { what: "delete", value: ABSENT, history }, async (seat, call) => {
    const deleted = await seat.client.deleteObject({ bucket: BUCKET, key, ...call });
    if (before === undefined || deleted === (before !== ABSENT)) return;
    const kind = deleted ? "wrong" : "lost";
    const [expected, found] = [before === ABSENT ? "nothing to delete" : "an object to delete", `deleted: ${deleted}`];
    worker.ledger.findings.push({ kind, key, expected, found, where: `delete, ${seat.name}` });
  });
  history.end(outcome);
}

/** A put that must be refused if there is an object, and succeed if there is none. */
async function putIfAbsent(worker: Worker, history: KeyHistory): Promise<void> {
  const { key } = history;
  const before = history.known();
  const value = worker.nextValue();
  const body = worker.contents.bytesOf(value);
  const upload = beginUpload(worker.ledger, () => worker.contents.bytesOf(value));
  history.begin(value);
  let code: string | undefined;
  const outcome = await settle(worker, { what: "put if absent", value, history }, async (seat, call) => {
    try {
      await seat.client.putObject({ bucket: BUCKET, key, body, ifNoneMatch: "*", ...call });
    } catch (error) {
      ({ code } = AshlarError.from(error));
      throw error;
    }
  });
  if (outcome !== "unknown") upload.endedAtMs = performance.now();
  history.end(outcome);
  const isExpected =
    outcome === "acknowledged" ? before === ABSENT : code !== "PRECONDITION_FAILED" || before !== ABSENT;
  if (isExpected || before === undefined || outcome === "unknown") return;
  const expected = before === ABSENT ? "no object" : `write ${before}`;
  const kind = before === ABSENT ? "wrong" : "lost";
  worker.ledger.findings.push({ kind, key, expected, found: code ?? "acknowledged", where: "put if absent" });
}

/**
 * Runs a write until its outcome is known, under one operation id, over one seat after the other. A refusal after an unknown outcome settles nothing: an
 * earlier try may still be on its way.
 */
async function settle(
  worker: Worker,
  { what, value, history }: { readonly what: string; readonly value: ValueId; readonly history: KeyHistory },
  write: (seat: Seat, call: { readonly operationId: string; readonly timeoutMs: number }) => Promise<unknown>,
): Promise<Outcome> {
  const { random, seats, ledger } = worker;
  const operationId = Buffer.from(random.bytes(16)).toString("hex");
  const untilMs = performance.now() + SETTLE_LIMIT_MS;
  const isSettled = random.below(UNSETTLED_EVERY) > 0;
  let outcome: Outcome | undefined;
  for (let tries = 0; outcome === undefined; tries++) {
    const seat = pick(random, seats);
    const begun = `${new Date().toISOString()} ${what} ${value}, ${seat.name}, operation ${operationId}`;
    try {
      await write(seat, { operationId, timeoutMs: CALL_LIMIT_MS });
      outcome = "acknowledged";
      history.trail.push(`${begun}: acknowledged ${new Date().toISOString()}`);
      ledger.gaps.writes.note();
      if (tries > 0) tally(ledger.counts, `${what} settled`);
    } catch (thrown) {
      const error = AshlarError.from(thrown);
      const isUnknown = error.details.outcome === "unknown";
      history.trail.push(`${begun}: ${error.code} ${new Date().toISOString()} ${error.message}${causes(error)}`);
      tally(ledger.codes, `${what}: ${error.code}${isUnknown ? " (unknown)" : ""}`);
      if (!isUnknown && tries === 0) outcome = "refused";
      else if (!isSettled || performance.now() > untilMs) outcome = "unknown";
      await pause(PAUSE_AFTER_FAILURE_MS);
    }
  }
  tally(ledger.counts, `${what} ${outcome}`);
  return outcome;
}

function causes({ cause }: Error): string {
  if (!(cause instanceof Error)) return "";
  const code = "code" in cause ? ` ${String(cause.code)}` : "";
  return `; cause: ${cause.name}${code} ${cause.message}${causes(cause)}`;
}

async function readKeys(worker: Worker): Promise<void> {
  while (!worker.signal.aborted) {
    await worker.paced();
    await read(worker, pick(worker.random, worker.ledger.histories));
  }
}

async function read(worker: Worker, history: KeyHistory): Promise<void> {
  const { ledger, seats, random } = worker;
  try {
    const finding = await readOnce(history, { seat: pick(random, seats), contents: worker.contents });
    if (finding !== undefined) ledger.findings.push(finding);
    ledger.gaps.reads.note();
    tally(ledger.counts, "get answered");
  } catch (thrown) {
    const error = AshlarError.from(thrown);
    tally(ledger.counts, "get failed");
    tally(ledger.codes, `get: ${error.code}`);
    if (isLoss(error)) ledger.findings.push(lossFinding(history.key, error));
    await pause(PAUSE_AFTER_FAILURE_MS);
  }
}

/** Whether an error says that bytes are gone. With the copies of one node away at a time, there is always a good one. */
export const isLoss = ({ code }: AshlarError): boolean => code === "CHUNK_MISSING" || code === "CHUNK_CORRUPT";

export function lossFinding(key: string, { code, message }: AshlarError): Finding {
  return { kind: "lost", key, expected: "bytes", found: `${code}: ${message}`, where: "get" };
}

/** Reads an object and judges it. @throws {AshlarError} of the read, but for OBJECT_NOT_FOUND, which is an answer. */
export async function readOnce(
  history: KeyHistory,
  { seat, contents, onFound }: { seat: Seat; contents: Contents; onFound?: (value: ValueId) => void },
): Promise<Finding | undefined> {
  const begun = history.beginRead();
  let found: ValueId = ABSENT;
  try {
    const got = await seat.client.getObject({ bucket: BUCKET, key: history.key, timeoutMs: CALL_LIMIT_MS });
    found = contents.identify(await got.bytes(), history.attempted());
  } catch (error) {
    if (!AshlarError.is(error, "OBJECT_NOT_FOUND")) throw error;
  }
  onFound?.(found);
  return history.endRead(begun, found, `get, ${seat.name}`);
}

/** Raises a counter that several writers share: reads it, and writes the next number if nobody else did meanwhile. */
async function count(worker: Worker): Promise<void> {
  const { random, seats, ledger, signal, paced } = worker;
  while (!signal.aborted) {
    const counter = pick(random, ledger.counters);
    await paced();
    try {
      const least = counter.highest;
      const seat = pick(random, seats);
      const read = await readCounter(counter.key, seat);
      note(ledger, counter.endRead(least, read?.count, `get, ${seat.name}`));
      ledger.gaps.reads.note();
      await raise(worker, counter, read);
    } catch (thrown) {
      const error = AshlarError.from(thrown);
      tally(ledger.codes, `counter get: ${error.code}`);
      if (isLoss(error)) note(ledger, lossFinding(counter.key, error));
      await pause(PAUSE_AFTER_FAILURE_MS);
    }
  }
}

/** A counter as it was read. */
export interface CounterValue {
  readonly count: number;
  readonly etag: string;
}

export async function readCounter(key: string, { client }: Seat): Promise<CounterValue | undefined> {
  try {
    const got = await client.getObject({ bucket: BUCKET, key, timeoutMs: CALL_LIMIT_MS });
    const text = new TextDecoder().decode((await got.bytes()).subarray(0, 32));
    return { count: Number(text.split(" ")[0]), etag: got.etag };
  } catch (error) {
    if (AshlarError.is(error, "OBJECT_NOT_FOUND")) return undefined;
    throw error;
  }
}

async function raise(worker: Worker, counter: CounterHistory, read: CounterValue | undefined): Promise<void> {
  const { random, seats, ledger, contents, nextValue } = worker;
  const next = (read?.count ?? 0) + 1;
  // Different for each write, so that the etag tells them apart.
  const value = nextValue();
  const words = new TextEncoder().encode(`${next} ${value} `.padEnd(32));
  const bodyOf = (): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.concat([words, contents.bytesOf(value)]));
  const body = bodyOf();
  const upload = beginUpload(ledger, bodyOf);
  const condition = read === undefined ? { ifNoneMatch: "*" } : { ifMatch: read.etag };
  let outcome: Outcome = "acknowledged";
  try {
    const { client } = pick(random, seats);
    await client.putObject({ bucket: BUCKET, key: counter.key, body, ...condition, timeoutMs: CALL_LIMIT_MS });
    ledger.gaps.writes.note();
  } catch (thrown) {
    const error = AshlarError.from(thrown);
    outcome = error.details.outcome === "unknown" ? "unknown" : "refused";
    tally(ledger.codes, `counter put: ${error.code}${outcome === "unknown" ? " (unknown)" : ""}`);
  }
  if (outcome !== "unknown") upload.endedAtMs = performance.now();
  tally(ledger.counts, `counter put ${outcome}`);
  note(ledger, counter.end(next, outcome));
}

function note({ findings }: Ledger, finding: Finding | undefined): void {
  if (finding !== undefined) findings.push(finding);
}

function tally(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}
