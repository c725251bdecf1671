import { expect } from "vitest";
import { encodeHex } from "../../hash/index.ts";
import * as LIMITS from "../../limit-values.ts";
import { type MetadataStore, type RepairEntry, systemClock } from "../../ports/index.ts";
import { expectCode } from "../chunk-store/expectations.ts";
import { ifPersistent, ifShared, type MetadataStoreCase } from "./contract-case.ts";
import { chunkedCommit, chunksOf, withBucket } from "./fixtures.ts";

/** No case waits so long. */
const LONG_MS = 600_000;

/** Commits chunks that a node missed; their ids are those of their names. */
async function withMissed(store: MetadataStore, names: readonly string[], nodeId = "n1"): Promise<void> {
  const chunks = chunksOf(names).map((chunk) => ({ ...chunk, missedNodeIds: [nodeId] }));
  await store.commitObject(chunkedCommit(`${nodeId} ${names[0]}`, chunks));
}

const idsOf = (entries: readonly RepairEntry[]): readonly string[] =>
  entries.map(({ chunkId, nodeId }) => `${nodeId} ${encodeHex(chunkId)}`);

const wantedIds = (names: readonly string[], nodeId = "n1"): readonly string[] =>
  chunksOf(names)
    .map(({ chunkId }) => `${nodeId} ${encodeHex(chunkId)}`)
    .sort();

const sizeOf = (names: readonly string[]): number => chunksOf(names).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

const numbered = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `w${index}`);

/** Waits until a lease of 1 ms has ended, by any clock of this machine. */
const untilEnded = (): Promise<void> => systemClock.sleep(30);

/** Background work that many workers share. */
export const WORK_CASES: readonly MetadataStoreCase[] = [
  {
    name: "a worker that claims repairs has them alone until its lease ends, and those of other nodes stay free",
    async run({ store }) {
      await withBucket(store);
      await withMissed(store, ["a", "b", "c"]);
      await withMissed(store, ["x"], "n2");
      const first = await store.claimRepairs({ nodeId: "n1", limit: 2, leaseMs: LONG_MS });
      const second = await store.claimRepairs({ nodeId: "n1", limit: 10, leaseMs: LONG_MS });
      expect(first.entries).toHaveLength(2);
      expect(second.entries).toHaveLength(1);
      expect(second.leaseToken).not.toBe(first.leaseToken);
      expect([...idsOf(first.entries), ...idsOf(second.entries)].sort()).toEqual(wantedIds(["a", "b", "c"]));
      expect(first.entries[0]).toMatchObject({
        ...{ nodeId: "n1", sizeBytes: expect.any(Number), layoutVersion: 0, attempts: 0 },
      });
      const other = await store.claimRepairs({ nodeId: "n2", limit: 10, leaseMs: LONG_MS });
      expect(idsOf(other.entries)).toEqual(wantedIds(["x"], "n2"));
      expect((await store.claimRepairs({ nodeId: "n3", limit: 1, leaseMs: LONG_MS })).entries).toEqual([]);
      // What is claimed still waits for repair.
      expect(await store.listRepairs({ limit: 10 })).toHaveLength(4);
    },
  },
  {
    name: "repairs that are done are gone, and those that failed come back with their error when it is time",
    async run({ store }) {
      await withBucket(store);
      await withMissed(store, ["a", "b", "c", "d"]);
      const { leaseToken, entries } = await store.claimRepairs({ nodeId: "n1", limit: 10, leaseMs: LONG_MS });
      const [a, b, c, d] = entries.map(({ repairId }) => repairId) as [string, string, string, string];
      const outcomes = [
        { repairId: a },
        { repairId: b, retryInMs: 0, error: `no source is up\0\ud800${"x".repeat(5000)}` },
        { repairId: c, retryInMs: LONG_MS, error: "later" },
        { repairId: d, retryInMs: 0 },
        { repairId: "nobody" },
        { repairId: "nobody-either", retryInMs: 0, error: "?" },
      ];
      expect(await store.finishRepairs({ leaseToken, outcomes })).toBe(4);
      expect(await store.finishRepairs({ leaseToken, outcomes })).toBe(0);
      const again = await store.claimRepairs({ nodeId: "n1", limit: 10, leaseMs: LONG_MS });
      const found = new Map(again.entries.map((entry) => [entry.repairId, entry]));
      expect([...found.keys()].sort()).toEqual([b, d].sort());
      expect(found.get(b)).toMatchObject({
        attempts: 1,
        lastError: expect.stringMatching(/^no source is up .{1,300}$/u),
      });
      expect(found.get(d)?.attempts).toBe(0);
      expect(found.get(d)).not.toHaveProperty("lastError");
      const listed = await store.listRepairs({ limit: 10, minAttempts: 1 });
      expect(listed.map(({ repairId }) => repairId).sort()).toEqual([b, c].sort());
      expect(listed.find(({ repairId }) => repairId === c)?.lastError).toBe("later");
    },
  },
  {
    name: "a worker whose lease has ended ends nothing that another has claimed since",
    async run({ store }) {
      await withBucket(store);
      await withMissed(store, ["a"]);
      const late = await store.claimRepairs({ nodeId: "n1", limit: 1, leaseMs: 1 });
      await untilEnded();
      const next = await store.claimRepairs({ nodeId: "n1", limit: 1, leaseMs: LONG_MS });
      expect(idsOf(next.entries)).toEqual(wantedIds(["a"]));
      const repairId = next.entries[0]!.repairId;
      expect(await store.finishRepairs({ leaseToken: late.leaseToken, outcomes: [{ repairId }] })).toBe(0);
      const failed = [{ repairId, retryInMs: 0, error: "late" }];
      expect(await store.finishRepairs({ leaseToken: late.leaseToken, outcomes: failed })).toBe(0);
      expect((await store.claimRepairs({ nodeId: "n1", limit: 1, leaseMs: LONG_MS })).entries).toEqual([]);
      expect(await store.finishRepairs({ leaseToken: next.leaseToken, outcomes: [{ repairId }] })).toBe(1);
      expect(await store.listRepairs({ limit: 10 })).toEqual([]);
    },
  },
  {
    name: "a miss that is noted while a worker has the entry is not ended with it, and is free at once",
    async run({ store }) {
      await withBucket(store);
      await withMissed(store, ["a"]);
      const claim = await store.claimRepairs({ nodeId: "n1", limit: 1, leaseMs: LONG_MS });
      const { repairId } = claim.entries[0]!;
      await store.commitObject(chunkedCommit("l", [{ ...chunksOf(["a"])[0]!, missedNodeIds: ["n1"] }]));
      const free = await store.claimRepairs({ nodeId: "n1", limit: 10, leaseMs: LONG_MS });
      expect(idsOf(free.entries)).toEqual(wantedIds(["a"]));
      expect(free.entries[0]?.repairId).not.toBe(repairId);
      const failed = [{ repairId, retryInMs: 0, error: "late" }];
      expect(await store.finishRepairs({ leaseToken: claim.leaseToken, outcomes: [{ repairId }] })).toBe(0);
      expect(await store.finishRepairs({ leaseToken: claim.leaseToken, outcomes: failed })).toBe(0);
      const outcomes = [{ repairId: free.entries[0]!.repairId }];
      expect(await store.finishRepairs({ leaseToken: free.leaseToken, outcomes })).toBe(1);
      expect(await store.listRepairs({ limit: 10 })).toEqual([]);
    },
  },
  {
    name: "what waits for each node is counted, with what is claimed and what keeps failing",
    async run({ store }) {
      await withBucket(store);
      await withMissed(store, ["a", "b", "c"]);
      await withMissed(store, ["x"], "n2");
      for (let attempt = 1; attempt <= LIMITS.REPAIR_FAILING_ATTEMPTS; attempt++) {
        const { leaseToken, entries } = await store.claimRepairs({ nodeId: "n1", limit: 1, leaseMs: LONG_MS });
        const outcomes = entries.map(({ repairId }) => ({ repairId, retryInMs: 0, error: "again" }));
        // Those that failed last are due last, so the others are kept away.
        if (attempt === 1) await store.claimRepairs({ nodeId: "n1", limit: 2, leaseMs: LONG_MS });
        expect(await store.finishRepairs({ leaseToken, outcomes })).toBe(1);
      }
      const counts = await store.countRepairs();
      expect([...counts].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))).toEqual([
        { nodeId: "n1", count: 3, sizeBytes: sizeOf(["a", "b", "c"]), claimedCount: 2, failingCount: 1 },
        { nodeId: "n2", count: 1, sizeBytes: sizeOf(["x"]), claimedCount: 0, failingCount: 0 },
      ]);
    },
  },
  {
    name: "claims and their ends are checked before anything is changed",
    async run({ store }) {
      const claim = { nodeId: "n1", limit: 1, leaseMs: 1 };
      const max = LIMITS.REPAIR_CLAIM_MAX;
      const outcomes = Array.from({ length: max + 1 }, () => ({ repairId: "r" }));
      for (const call of [
        store.claimRepairs({ ...claim, nodeId: "not a node id" }),
        store.claimRepairs({ ...claim, limit: max + 1 }),
        store.claimRepairs({ ...claim, leaseMs: LIMITS.WORK_LEASE_MAX_MS + 1 }),
        store.finishRepairs({ leaseToken: "", outcomes: [] }),
        store.finishRepairs({ leaseToken: "t", outcomes }),
        store.finishRepairs({ leaseToken: "t", outcomes: [{ repairId: "r", retryInMs: -1 }] }),
        store.claimJob({ job: "", leaseMs: 1 }),
        store.claimJob({ job: "j", leaseMs: 0 }),
        store.renewJob({ job: "j", leaseToken: "t", leaseMs: 0 }),
        store.finishJob({ job: "j", leaseToken: "t", againInMs: -1 }),
      ]) {
        await expectCode(call, "INVALID_ARGUMENT");
      }
      expect(await store.listJobs()).toEqual([]);
    },
  },
  {
    name: "of many workers that claim at once, each entry goes to one",
    applies: ifShared,
    async run({ store, subject }) {
      await withBucket(store);
      const names = numbered(60);
      await withMissed(store, names);
      const second = await subject.second();
      const claims = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (index % 2 === 0 ? store : second).claimRepairs({ nodeId: "n1", limit: 3, leaseMs: LONG_MS }),
        ),
      );
      // One that comes while another has locked the first entries may find none.
      const rest = await store.claimRepairs({ nodeId: "n1", limit: 100, leaseMs: LONG_MS });
      const claimed = [...claims, rest].flatMap(({ entries }) => idsOf(entries));
      expect([...claimed].sort()).toEqual(wantedIds(names));
    },
  },
  {
    name: "a claim outlives the worker that made it no longer than its lease, also after reopening",
    applies: ifPersistent,
    async run({ store, subject }) {
      await withBucket(store);
      await withMissed(store, ["a", "b"]);
      await store.claimRepairs({ nodeId: "n1", limit: 1, leaseMs: LONG_MS });
      await store.claimRepairs({ nodeId: "n1", limit: 1, leaseMs: 1 });
      expect(await store.claimJob({ job: "collect", leaseMs: LONG_MS })).toBeDefined();
      expect(await store.claimJob({ job: "check", leaseMs: 1 })).toBeDefined();
      const reopened = await subject.reopen();
      await untilEnded();
      expect((await reopened.claimRepairs({ nodeId: "n1", limit: 10, leaseMs: LONG_MS })).entries).toHaveLength(1);
      expect(await reopened.claimJob({ job: "collect", leaseMs: LONG_MS })).toBeUndefined();
      expect(await reopened.claimJob({ job: "check", leaseMs: LONG_MS })).toBeDefined();
    },
  },
  {
    name: "a job has one worker at a time, and is due again when its last round says",
    async run({ store }) {
      const token = await store.claimJob({ job: "collect", leaseMs: LONG_MS });
      expect(token).toEqual(expect.any(String));
      expect(await store.claimJob({ job: "collect", leaseMs: LONG_MS })).toBeUndefined();
      const [state] = await store.listJobs();
      expect(state).toEqual({ job: "collect", dueAtMs: expect.any(Number), isClaimed: true, attempts: 0 });
      expect(await store.claimJob({ job: "another", leaseMs: LONG_MS })).toBeDefined();
      expect((await store.listJobs()).map(({ job }) => job)).toEqual(["another", "collect"]);
      expect(await store.finishJob({ job: "collect", leaseToken: token!, againInMs: LONG_MS })).toBe(true);
      expect(await store.claimJob({ job: "collect", leaseMs: LONG_MS })).toBeUndefined();
      expect((await store.listJobs())[1]).toMatchObject({ job: "collect", isClaimed: false });
      expect(await store.finishJob({ job: "collect", leaseToken: token!, againInMs: 0 })).toBe(false);
    },
  },
  {
    name: "a worker that lost its job cannot renew or end it",
    async run({ store }) {
      const late = await store.claimJob({ job: "collect", leaseMs: 1 });
      await untilEnded();
      // Nobody has come: it goes on.
      expect(await store.renewJob({ job: "collect", leaseToken: late!, leaseMs: 1 })).toBe(true);
      await untilEnded();
      const next = await store.claimJob({ job: "collect", leaseMs: 1 });
      expect(next).toBeDefined();
      expect(await store.renewJob({ job: "collect", leaseToken: late!, leaseMs: LONG_MS })).toBe(false);
      expect(await store.finishJob({ job: "collect", leaseToken: late!, againInMs: 0 })).toBe(false);
      expect(await store.renewJob({ job: "collect", leaseToken: next!, leaseMs: LONG_MS })).toBe(true);
      await untilEnded();
      expect(await store.claimJob({ job: "collect", leaseMs: 1 })).toBeUndefined();
      expect(await store.renewJob({ job: "nothing", leaseToken: next!, leaseMs: 1 })).toBe(false);
    },
  },
  {
    name: "a job that fails again and again says how often, and with what, until it succeeds",
    async run({ store }) {
      for (let attempts = 1; attempts <= 3; attempts++) {
        const leaseToken = await store.claimJob({ job: "collect", leaseMs: LONG_MS });
        await store.finishJob({ job: "collect", leaseToken: leaseToken!, againInMs: 0, error: `failure ${attempts}` });
        expect((await store.listJobs())[0]).toMatchObject({ attempts, lastError: `failure ${attempts}` });
      }
      const leaseToken = await store.claimJob({ job: "collect", leaseMs: LONG_MS });
      await store.finishJob({ job: "collect", leaseToken: leaseToken!, againInMs: 0 });
      const [state] = await store.listJobs();
      expect(state).toEqual({ job: "collect", dueAtMs: expect.any(Number), isClaimed: false, attempts: 0 });
    },
  },
];
