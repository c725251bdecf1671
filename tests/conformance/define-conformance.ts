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
import type { ConformanceContext, ConformanceSubject, UseContext } from "./subject.ts";

let buckets = 0;

/**
 * The promises of the object API as tests, the same for every seat and transport. A case that some seat cannot keep is a defect of that seat:
 * nothing is skipped but what the transport says of itself (progress within a chunk) or has no way to slow down (no socket).
 */
export function defineConformance(definition: ConformanceSubject): void {
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
    bodyCases(use);
    largeCases(use);
    rangeCases(use);
    conditionCases(use);
    attributeCases(use);
    missingCases(use);
    argumentCases(use);
    abortCases(use);
    progressCases(use);
    listingCases(use);
    removalCases(use);
    multipartCases(use);
    handleCases(use);
    lifecycleCases(use);
  });
}
