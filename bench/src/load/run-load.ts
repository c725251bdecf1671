import type { ObjectStoreClient } from "./object-store-client.ts";
import { type PhaseReport, runPhase } from "./phase.ts";
import { uniqueBody, uniqueBytes } from "./unique-body.ts";

/** What to put and get. Sizes in bytes, times in ms. */
export interface LoadPlan {
  /** Many large objects; none for 0 bytes. */
  readonly bulkBytes: number;
  readonly bulkObjectBytes: number;
  readonly bulkInFlight: number;
  /** One large object; none for 0. */
  readonly singleBytes: number;
  /** A slow store moves less: no large object starts after this time, and the single object is only as large as fits into it. */
  readonly largeLimitMs: number;
  /** Small objects, until the count or the time is reached; none for a count of 0. */
  readonly smallCount: number;
  readonly smallLimitMs: number;
  readonly smallBytes: number;
  readonly smallInFlight: number;
}

/** The phases of a load, in the order in which they run. */
export const PHASES = ["putBulk", "getBulk", "putSingle", "getSingle", "putSmall", "getSmall"] as const;

/** Name of a phase. */
export type PhaseName = (typeof PHASES)[number];

/** What a load showed; phases that were not asked for are absent. */
export type LoadReport = Readonly<Partial<Record<PhaseName, PhaseReport>>>;

/** Bytes put and got before anything is measured, so that connections exist and code is compiled. */
const WARM_UP_BYTES = 32 * 1024 * 1024;
const WARM_UP_SMALL_COUNT = 500;

/** Puts and gets what the plan says, through any store. The objects stay there: the caller deletes the store. */
export async function runLoad(client: ObjectStoreClient, plan: LoadPlan): Promise<LoadReport> {
  const large = await bulk(client, plan);
  return { ...large, ...(await single(client, plan, large.putBulk)), ...(await small(client, plan)) };
}

async function bulk(client: ObjectStoreClient, plan: LoadPlan): Promise<LoadReport> {
  const { bulkBytes, bulkObjectBytes } = plan;
  if (bulkBytes === 0) return {};
  await client.put("warm-up", uniqueBody(WARM_UP_BYTES));
  await get(client, "warm-up", WARM_UP_BYTES);
  const phase = { inFlight: plan.bulkInFlight, limitMs: plan.largeLimitMs };
  const key = (index: number): string => `bulk/${index}`;
  const putBulk = await runPhase({ ...phase, count: Math.ceil(bulkBytes / bulkObjectBytes) }, (index) =>
    put(client, key(index), bulkObjectBytes),
  );
  const getBulk = await runPhase({ ...phase, count: putBulk.objects }, (index) =>
    get(client, key(index), bulkObjectBytes),
  );
  return { putBulk, getBulk };
}

async function single(
  client: ObjectStoreClient,
  plan: LoadPlan,
  putBulk: PhaseReport | undefined,
): Promise<LoadReport> {
  if (plan.singleBytes === 0) return {};
  const sizeBytes = singleSize(plan, putBulk);
  const phase = { count: 1, inFlight: 1 };
  const putSingle = await runPhase(phase, () => put(client, "single", sizeBytes));
  const getSingle = await runPhase(phase, () => get(client, "single", sizeBytes));
  return { putSingle, getSingle };
}

/** The planned size, or what the store is likely to take within the limit, in whole large objects. */
function singleSize(
  { singleBytes, bulkObjectBytes, largeLimitMs }: LoadPlan,
  putBulk: PhaseReport | undefined,
): number {
  if (putBulk === undefined) return singleBytes;
  const inTimeBytes = (putBulk.sizeBytes / putBulk.elapsedMs) * largeLimitMs;
  return Math.min(singleBytes, Math.max(1, Math.floor(inTimeBytes / bulkObjectBytes)) * bulkObjectBytes);
}

async function small(client: ObjectStoreClient, plan: LoadPlan): Promise<LoadReport> {
  const { smallBytes, smallCount, smallInFlight, smallLimitMs } = plan;
  if (smallCount === 0) return {};
  const putOne = async (key: string): Promise<number> => {
    await client.put(key, uniqueBytes(smallBytes));
    return smallBytes;
  };
  const warmUp = { count: Math.min(WARM_UP_SMALL_COUNT, smallCount), inFlight: smallInFlight };
  await runPhase(warmUp, (index) => putOne(`warm-up/${index}`));
  await runPhase(warmUp, (index) => get(client, `warm-up/${index}`, smallBytes));
  const limits = { inFlight: smallInFlight, limitMs: smallLimitMs };
  const putSmall = await runPhase({ ...limits, count: smallCount }, (index) => putOne(`small/${index}`));
  // Gets all objects in turn, again and again, until the count or the time is reached.
  const getSmall = await runPhase({ ...limits, count: smallCount }, (index) =>
    get(client, `small/${index % putSmall.objects}`, smallBytes),
  );
  return { putSmall, getSmall };
}

async function put(client: ObjectStoreClient, key: string, sizeBytes: number): Promise<number> {
  await client.put(key, uniqueBody(sizeBytes));
  return sizeBytes;
}

async function get(client: ObjectStoreClient, key: string, sizeBytes: number): Promise<number> {
  const received = await client.get(key);
  if (received !== sizeBytes) throw new Error(`${key} came back with ${received} of ${sizeBytes} bytes`);
  return received;
}
