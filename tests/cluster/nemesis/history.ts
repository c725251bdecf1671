/**
 * What may be read under one key, as its only writer knows it. Writes of a key follow one another; reads come at any time.
 *
 * A write that was acknowledged is the only value from then on. One that was refused never was a value, before or after. One whose outcome is unknown
 * may take effect at any time, also after later writes, so it stays possible for ever; a later answer under its operation id settles it.
 */

/** Names a value: a write of the run, or that there is no object. */
export type ValueId = number;

/** The value of a key without an object; a delete writes it. */
export const ABSENT: ValueId = 0;
/** What was found are not the bytes of any write. */
export const GARBLED: ValueId = -1;
const TRAIL_SHOWN = 12;

/** How a write ended. */
export type Outcome = "acknowledged" | "refused" | "unknown";

/** `lost`: something acknowledged is not there. `wrong`: something is there that nobody may find. */
export interface Finding {
  readonly kind: "lost" | "wrong";
  readonly key: string;
  readonly expected: string;
  readonly found: string;
  readonly where: string;
  /** What was done to the key, the oldest first. */
  readonly trail?: readonly string[];
}

/** A read that has begun. */
export interface BegunRead {
  readonly allowed: ReadonlySet<ValueId>;
  readonly begunCount: number;
}

interface Write {
  readonly value: ValueId;
  outcome: Outcome | "running";
}

/** The history of one key. */
export class KeyHistory {
  readonly key: string;
  /** Every try of a write and how it ended, for findings. */
  readonly trail: string[] = [];
  readonly #writes: Write[] = [];
  readonly #floating = new Set<ValueId>();
  #settled: ValueId = ABSENT;

  constructor(key: string) {
    this.key = key;
  }

  /** Every value that a read may find now. */
  allowed(): ReadonlySet<ValueId> {
    const running = this.#writes.at(-1);
    const values = new Set([this.#settled, ...this.#floating]);
    if (running?.outcome === "running") values.add(running.value);
    return values;
  }

  /** The one value that a read must find, if there is only one. */
  known(): ValueId | undefined {
    const [value, ...others] = this.allowed();
    return others.length === 0 ? value : undefined;
  }

  /** Every value that was ever written, or that somebody tried to write; the newest first. */
  attempted(): readonly ValueId[] {
    return this.#writes.map(({ value }) => value).reverse();
  }

  begin(value: ValueId): void {
    if (this.#writes.at(-1)?.outcome === "running") throw new Error(`two writes of ${this.key} at once`);
    this.#writes.push({ value, outcome: "running" });
  }

  /** Ends the write that runs. */
  end(outcome: Outcome): void {
    const write = this.#writes.at(-1);
    if (write?.outcome !== "running") throw new Error(`no write of ${this.key} runs`);
    write.outcome = outcome;
    if (outcome === "acknowledged") this.#settled = write.value;
    if (outcome === "unknown") this.#floating.add(write.value);
  }

  beginRead(): BegunRead {
    return { allowed: this.allowed(), begunCount: this.#writes.length };
  }

  /** Judges what a read found. Values of writes that began meanwhile are right too. */
  endRead(read: BegunRead, found: ValueId, where: string): Finding | undefined {
    const meanwhile = this.#writes.slice(read.begunCount).map(({ value }) => value);
    const allowed = new Set([...read.allowed, ...meanwhile]);
    if (allowed.has(found)) return undefined;
    const kind = allowed.has(ABSENT) || found === GARBLED || this.#wasRefused(found) ? "wrong" : "lost";
    return {
      ...{ kind, key: this.key, where, trail: this.trail.slice(-TRAIL_SHOWN) },
      expected: [...allowed].map(shownValue).join(" or "),
      found: `${shownValue(found)}${this.#remark(found)}`,
    };
  }

  /** What was found narrows what may be found from now on: nothing runs any more that could change it. */
  narrow(found: ValueId): void {
    this.#settled = found;
    this.#floating.clear();
  }

  #wasRefused(value: ValueId): boolean {
    return this.#writes.some((write) => write.value === value && write.value !== ABSENT && write.outcome === "refused");
  }

  #remark(found: ValueId): string {
    if (found === GARBLED || found === ABSENT) return "";
    return this.#wasRefused(found) ? ", which was refused" : ", which was replaced or deleted";
  }
}

function shownValue(value: ValueId): string {
  if (value === ABSENT) return "no object";
  return value === GARBLED ? "bytes that nobody wrote" : `write ${value}`;
}

/**
 * The history of a counter: each write holds the number after the one that its writer read, under the condition that this is still the current version.
 * So no number is acknowledged twice, and none is read that is smaller than one that was acknowledged before the read.
 */
export class CounterHistory {
  readonly key: string;
  readonly #acknowledged = new Set<number>();
  #highest = 0;
  #unknown = 0;

  constructor(key: string) {
    this.key = key;
  }

  /** The highest number that was acknowledged. */
  get highest(): number {
    return this.#highest;
  }

  end(count: number, outcome: Outcome): Finding | undefined {
    if (outcome === "unknown") this.#unknown++;
    if (outcome !== "acknowledged") return undefined;
    const isTwice = this.#acknowledged.has(count);
    this.#acknowledged.add(count);
    this.#highest = Math.max(this.#highest, count);
    return isTwice
      ? this.#finding("lost", `${count} acknowledged once`, "acknowledged twice", "conditional put")
      : undefined;
  }

  /** @param least {@link highest} when the read began. */
  endRead(least: number, found: number | undefined, where: string): Finding | undefined {
    if (found === undefined && least > 0) return this.#finding("lost", `${least} or more`, "no object", where);
    if ((found ?? 0) < least) return this.#finding("lost", `${least} or more`, String(found), where);
    return undefined;
  }

  /** When nothing runs any more: each number up to the last was acknowledged, or is one of the unknown writes. */
  endAll(found: number | undefined, where: string): Finding | undefined {
    const most = this.#acknowledged.size + this.#unknown;
    if ((found ?? 0) > most) return this.#finding("wrong", `${most} at most`, String(found), where);
    return this.endRead(this.#highest, found, where);
  }

  #finding(kind: Finding["kind"], expected: string, found: string, where: string): Finding {
    return { kind, key: this.key, expected, found, where };
  }
}

export function describeFinding({ kind, key, expected, found, where, trail = [] }: Finding): string {
  return [`${kind}: ${key} (${where}): expected ${expected}, found ${found}`, ...trail].join("\n    ");
}
