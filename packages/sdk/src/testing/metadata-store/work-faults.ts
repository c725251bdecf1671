import { bytesEqual } from "../../hash/digest.ts";
import * as LIMITS from "../../limit-values.ts";
import { type RepairEntry, systemClock } from "../../ports/index.ts";
import type { BrokenMetadataStore } from "./contract-case.ts";

/** Faults in how work is shared. */
export const WORK_FAULTS: readonly BrokenMetadataStore[] = [
  {
    fault: "does not record which nodes stand in for those that a write missed",
    caughtBy: "a copy that a stand-in holds counts until the stand-in loses its disk, or the copy is where it belongs",
    override: (sound) => ({
      commitObject: (commit, options) => {
        if (!("chunks" in commit.content)) return sound.commitObject(commit, options);
        const chunks = commit.content.chunks.map((chunk) => ({ ...chunk, standInNodeIds: undefined }));
        return sound.commitObject({ ...commit, content: { chunks } }, options);
      },
    }),
  },
  {
    fault: "gives entries of the repair queue that another worker holds",
    caughtBy: "a worker that claims repairs has them alone until its lease ends, and those of other nodes stay free",
    override: (sound) => ({
      claimRepairs: async (claim, options) => {
        const claimed = await sound.claimRepairs({ ...claim, leaseMs: 1 }, options);
        await systemClock.sleep(5);
        return claimed;
      },
    }),
  },
  {
    fault: "claims the entries of all nodes with those of one",
    caughtBy: "a worker that claims repairs has them alone until its lease ends, and those of other nodes stay free",
    override: (sound) => ({
      claimRepairs: async (claim, options) => {
        for (const { nodeId } of await sound.countRepairs())
          if (nodeId !== claim.nodeId) await sound.claimRepairs({ ...claim, nodeId });
        return await sound.claimRepairs(claim, options);
      },
    }),
  },
  {
    fault: "ends repairs without a look at who holds them",
    caughtBy: "a worker whose lease has ended ends nothing that another has claimed since",
    override: (sound) => {
      let newest = "none";
      return {
        claimRepairs: async (claim, options) => {
          const claimed = await sound.claimRepairs(claim, options);
          if (claimed.entries.length > 0) newest = claimed.leaseToken;
          return claimed;
        },
        finishRepairs: ({ outcomes }, options) => sound.finishRepairs({ leaseToken: newest, outcomes }, options),
      };
    },
  },
  {
    fault: "ends a miss that is noted while an older repair runs",
    caughtBy: "a miss that is noted while a worker has the entry is not ended with it, and is free at once",
    override: (sound) => ({
      commitObject: async (commit, options) => {
        const before = await sound.listRepairs({ limit: 100 });
        const committed = await sound.commitObject(commit, options);
        const { leaseToken, entries } = await sound.claimRepairs({ nodeId: "n1", limit: 100, leaseMs: 1000 });
        const isOld = ({ chunkId }: RepairEntry): boolean => before.some((old) => bytesEqual(old.chunkId, chunkId));
        const outcomes = entries.map((entry) =>
          isOld(entry) ? { repairId: entry.repairId } : { repairId: entry.repairId, retryInMs: 0 },
        );
        await sound.finishRepairs({ leaseToken, outcomes });
        return committed;
      },
    }),
  },
  {
    fault: "keeps a miss from others for as long as the claim that was there before",
    caughtBy: "a miss that is noted while a worker has the entry is not ended with it, and is free at once",
    override: (sound) => {
      let isClaimed = false;
      return {
        claimRepairs: async (claim, options) => {
          isClaimed = true;
          return await sound.claimRepairs(claim, options);
        },
        commitObject: async (commit, options) => {
          const committed = await sound.commitObject(commit, options);
          if (isClaimed) await sound.claimRepairs({ nodeId: "n1", limit: 100, leaseMs: LIMITS.WORK_LEASE_MAX_MS });
          return committed;
        },
      };
    },
  },
  {
    fault: "keeps entries for the longest lease",
    caughtBy: "a worker whose lease has ended ends nothing that another has claimed since",
    override: (sound) => ({
      claimRepairs: (claim, options) => sound.claimRepairs({ ...claim, leaseMs: LIMITS.WORK_LEASE_MAX_MS }, options),
    }),
  },
  {
    fault: "tries what failed again at once",
    caughtBy: "repairs that are done are gone, and those that failed come back with their error when it is time",
    override: (sound) => ({
      finishRepairs: ({ leaseToken, outcomes }, options) =>
        sound.finishRepairs(
          {
            leaseToken,
            outcomes: outcomes.map((outcome) =>
              outcome.retryInMs === undefined ? outcome : { ...outcome, retryInMs: 0 },
            ),
          },
          options,
        ),
    }),
  },
  {
    fault: "counts what is claimed as done",
    caughtBy: "what waits for each node is counted, with what is claimed and what keeps failing",
    override: (sound) => ({
      countRepairs: async (options) =>
        (await sound.countRepairs(options)).map((one) => ({ ...one, count: one.count - one.claimedCount })),
    }),
  },
  {
    fault: "gives a job to everybody who asks",
    caughtBy: "a job has one worker at a time, and is due again when its last round says",
    override: (sound) => ({
      claimJob: async (claim, options) => {
        const leaseToken = await sound.claimJob({ ...claim, leaseMs: 1 }, options);
        await systemClock.sleep(5);
        return leaseToken;
      },
    }),
  },
  {
    fault: "tells a worker that it still has a job that another took over",
    caughtBy: "a worker that lost its job cannot renew or end it",
    override: (sound) => ({
      renewJob: async (renewal, options) => {
        await sound.renewJob(renewal, options);
        return true;
      },
    }),
  },
  {
    fault: "forgets that a job failed",
    caughtBy: "a job that fails again and again says how often, and with what, until it succeeds",
    override: (sound) => ({
      finishJob: (end, options) => sound.finishJob({ ...end, error: undefined }, options),
    }),
  },
];
