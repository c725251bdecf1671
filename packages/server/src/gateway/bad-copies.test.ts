/** What a gateway remembers and tells of the copies that its readers miss: bounded, once, and only what belongs there. */
import { randomBytes } from "node:crypto";
import { createMemoryMetadataStore } from "@ashlar/adapters/metadata-store/memory";
import { type BadCopy, createClusterView } from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { type Digest, digestFromBytes } from "@ashlar/sdk/hash";
import { type MissedCopy, type RepairQueue, silentLogger, systemClock } from "@ashlar/sdk/ports";
import { expect, it, onTestFinished } from "vitest";
import { HTTP_LIMITS } from "../http/bounds/http-limits.ts";
import { createMetrics } from "../observability/index.ts";
import { type BadCopies, createBadCopies } from "./bad-copies.ts";

interface Subject {
  readonly copies: BadCopies;
  /** What the database was told, call by call. */
  readonly told: MissedCopy[][];
  /** Answers calls of the database; default: all are queued. A number: so many were not in the queue before. */
  answer: () => Promise<unknown>;
  /** Lines of the log: level and message. */
  readonly lines: string[];
  passMs(ms: number): void;
  /** Waits until the database has been told `count` times. */
  calls(count: number): Promise<void>;
  outcomes(): Promise<Readonly<Record<string, number>>>;
}

/** A gateway's memory over a cluster of two nodes, whose newest layout has both and whose older one only n1. */
async function prepare(): Promise<Subject> {
  const registry = createMemoryMetadataStore({ replicationFactor: 2 });
  onTestFinished(() => registry.close());
  for (const nodeId of ["n1", "n2"]) await registry.registerNode({ nodeId, url: "http://x", softwareVersion: "1" });
  const told: MissedCopy[][] = [];
  let nowMs = 0;
  const metrics = createMetrics();
  const queueRepairs: RepairQueue["queueRepairs"] = async (copies) => {
    told.push([...copies]);
    const queued = await subject.answer();
    return typeof queued === "number" ? queued : copies.length;
  };
  const lines: string[] = [];
  const line = (level: string) => (_fields: object, message: string) => void lines.push(`${level} ${message}`);
  const copies = createBadCopies({
    metadata: { queueRepairs },
    topology: { view: createClusterView({ registry, clock: systemClock, logger: silentLogger }) },
    clock: { monotonicMs: () => nowMs },
    logger: { ...silentLogger, debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") },
    metrics,
  });
  onTestFinished(() => copies.close());
  const subject: Subject = {
    ...{ copies, told, lines },
    answer: async () => {},
    passMs(ms) {
      nowMs += ms;
    },
    calls: (count) => expect.poll(() => told.length, { timeout: 10_000 }).toBe(count),
    async outcomes() {
      const { text } = await metrics.render();
      return Object.fromEntries(
        [...text.matchAll(/ashlar_read_repairs_total\{outcome="([^"]*)"\} (\d+)/g)].map(([, outcome = "", count]) => [
          outcome,
          Number(count),
        ]),
      );
    },
  };
  return subject;
}

const anyId = (): Digest => digestFromBytes(randomBytes(32));
const absent = (chunkId: Digest, nodeId = "n1"): BadCopy => ({ chunkId, nodeId, fault: "absent" });

it("tells the database a copy once in a while, however often readers meet it", async () => {
  const subject = await prepare();
  const chunkId = anyId();
  for (let reader = 0; reader < 100; reader++) subject.copies.note(absent(chunkId));
  await subject.calls(1);
  expect(subject.told[0]).toMatchObject([{ chunkId, nodeId: "n1" }]);
  subject.passMs(HTTP_LIMITS.READ_REPAIR_AGAIN_MS.value - 1);
  subject.copies.note(absent(chunkId));
  subject.copies.note(absent(chunkId, "n2"));
  await subject.calls(2);
  expect(subject.told[1]).toMatchObject([{ chunkId, nodeId: "n2" }]);
  subject.passMs(1);
  subject.copies.note(absent(chunkId));
  await subject.calls(3);
});

it("tells nothing of a node that no layout in use places the chunk on", async () => {
  const subject = await prepare();
  const chunkId = anyId();
  subject.copies.note(absent(anyId(), "left"));
  subject.copies.note(absent(chunkId));
  await subject.calls(1);
  expect(subject.told.flat().map(({ nodeId }) => nodeId)).toEqual(["n1"]);
  expect(subject.told[0]?.[0]?.layoutVersions).toContain(2);
});

it("warns of copies that nobody knew to be missing, and not of those that wait for repair or for a change of the layout", async () => {
  const subject = await prepare();
  subject.copies.note({ ...absent(anyId(), "n2"), mayLack: true });
  await subject.calls(1);
  // Queued by the commit that did not reach the node.
  subject.answer = async () => 0;
  subject.copies.note(absent(anyId()));
  await subject.calls(2);
  subject.answer = async () => 1;
  subject.copies.note(absent(anyId()));
  await subject.calls(3);
  await expect
    .poll(() => subject.lines)
    .toEqual([
      "info copies that move, and that readers missed, are queued for repair",
      "warn copies that readers missed are queued for repair",
    ]);
});

it("tells a copy again whose call failed, when the next reader meets it", async () => {
  const subject = await prepare();
  const chunkId = anyId();
  subject.answer = async () => {
    throw new AshlarError("METADATA_UNAVAILABLE", "away");
  };
  subject.copies.note(absent(chunkId));
  await subject.calls(1);
  await expect.poll(() => subject.outcomes()).toMatchObject({ failed: 1, queued: 0 });
  subject.answer = async () => {};
  subject.copies.note(absent(chunkId));
  await subject.calls(2);
  await expect.poll(() => subject.outcomes()).toMatchObject({ failed: 1, queued: 1 });
});

it("holds a bounded number of copies while the database is slow, and says how many it left out", async () => {
  const subject = await prepare();
  let goOn = (): void => {};
  const slow = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  subject.answer = () => slow;
  const max = HTTP_LIMITS.READ_REPAIRS_MAX.value;
  for (let copy = 0; copy < max + 10; copy++) subject.copies.note(absent(anyId()));
  await subject.calls(1);
  expect(await subject.outcomes()).toMatchObject({ "left out": 10, queued: 0 });
  goOn();
  await expect.poll(() => subject.outcomes(), { timeout: 10_000 }).toMatchObject({ queued: max });
  expect(Math.max(...subject.told.map((call) => call.length))).toBeLessThanOrEqual(1000);
});

it("ends at once when it is closed, and takes nothing more", async () => {
  const subject = await prepare();
  await subject.copies.close();
  subject.copies.note(absent(anyId()));
  await subject.copies.close();
  expect(subject.told).toEqual([]);
});
