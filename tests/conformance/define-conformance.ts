import { afterAll, beforeAll, describe } from "vitest";
import { RUN_ID } from "#platform";
import { abortCases } from "./cases/abort.ts";
import { argumentCases } from "./cases/arguments.ts";
import { attributeCases } from "./cases/attributes.ts";
import { bodyCases } from "./cases/bodies.ts";
import { conditionCases } from "./cases/conditions.ts";
import { handleCases } from "./cases/handles.ts";
import { largeCases } from "./cases/large.ts";
import { lifecycleCases } from "./cases/lifecycle.ts";
import { listingCases } from "./cases/listing.ts";
import { missingCases } from "./cases/missing.ts";
import { multipartCases } from "./cases/multipart.ts";
import { progressCases } from "./cases/progress.ts";
import { rangeCases } from "./cases/ranges.ts";
import { removalCases } from "./cases/removal.ts";
import { takenInputCases } from "./cases/taken-input.ts";
import type { ConformanceContext, ConformanceSubject, UseContext } from "./subject.ts";

/** How much of the suite a subject runs. */
export type ConformanceScope = "full" | "transport";

let buckets = 0;

/** What a transport can change of a call: how it encodes names, sizes and errors, and how bytes flow and end. */
const TRANSPORT_CASES: readonly ((use: UseContext) => void)[] = [
  largeCases,
  rangeCases,
  attributeCases,
  missingCases,
  abortCases,
  progressCases,
  multipartCases,
  lifecycleCases,
];

/** What only the engine, a store or the client decides, whatever the transport. */
const OTHER_CASES: readonly ((use: UseContext) => void)[] = [
  bodyCases,
  conditionCases,
  argumentCases,
  takenInputCases,
  listingCases,
  removalCases,
  handleCases,
];

/**
 * The promises of the object API as tests, the same for every seat and transport. A case that some seat cannot keep is a defect of that seat:
 * nothing is skipped but what the transport says of itself (progress within a chunk) or has no way to slow down (no socket).
 *
 * @param scope `full` once for each seat and for a page; `transport` for another way to the same seats.
 */
export function defineConformance(definition: ConformanceSubject, scope: ConformanceScope = "full"): void {
  describe(definition.name, () => {
    let context: ConformanceContext | undefined;
    beforeAll(async () => {
      const subject = await definition.start();
      const client = subject.openClient();
      const bucket = async (): Promise<string> => {
        const name = `case-${RUN_ID}-${++buckets}`;
        await client.createBucket({ bucket: name });
        return name;
      };
      context = { client, subject, bucket };
    });
    afterAll(async () => {
      await context?.client.close();
      await context?.subject.close();
    });
    const use: UseContext = () => {
      if (context === undefined) throw new Error("the subject did not start");
      return context;
    };
    for (const define of TRANSPORT_CASES) define(use);
    if (scope === "full") for (const define of OTHER_CASES) define(use);
  });
}
