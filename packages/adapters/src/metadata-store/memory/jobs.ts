import type { JobLeases } from "@ashlar/sdk/ports";
import { type MemoryState, nextId } from "./state.ts";

export function memoryJobs(state: MemoryState): JobLeases {
  return {
    async claimJob({ job, leaseMs }) {
      const row = state.jobs.get(job);
      const nowMs = state.clock.nowMs();
      if (row !== undefined && row.dueAtMs > nowMs) return undefined;
      const leaseToken = nextId(state);
      state.jobs.set(job, { attempts: 0, ...row, leaseToken, dueAtMs: nowMs + leaseMs });
      return leaseToken;
    },
    async renewJob({ job, leaseToken, leaseMs }) {
      const row = state.jobs.get(job);
      if (row?.leaseToken !== leaseToken) return false;
      state.jobs.set(job, { ...row, dueAtMs: state.clock.nowMs() + leaseMs });
      return true;
    },
    async finishJob({ job, leaseToken, againInMs, error }) {
      const row = state.jobs.get(job);
      if (row?.leaseToken !== leaseToken) return false;
      const attempts = error === undefined ? 0 : row.attempts + 1;
      const dueAtMs = state.clock.nowMs() + againInMs;
      state.jobs.set(job, { attempts, lastError: error, leaseToken: undefined, dueAtMs });
      return true;
    },
    async listJobs() {
      const nowMs = state.clock.nowMs();
      const jobs = [...state.jobs].map(([job, { dueAtMs, leaseToken, attempts, lastError }]) => ({
        ...{ job, dueAtMs, isClaimed: leaseToken !== undefined && dueAtMs > nowMs, attempts },
        ...(lastError !== undefined && { lastError }),
      }));
      return jobs.sort((a, b) => (a.job < b.job ? -1 : 1));
    },
  };
}
