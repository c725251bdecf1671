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
import { progressCases, slowWayCases } from "./cases/progress.ts";
import { rangeCases } from "./cases/ranges.ts";
import { removalCases } from "./cases/removal.ts";
import { takenInputCases } from "./cases/taken-input.ts";
import type { ConformanceContext, ConformanceSubject, UseContext } from "./subject.ts";

/**
 * How much of the suite a subject runs: `full` for the embedded seat, for both seats with servers over one transport in Node, and for direct over one
 * in a page; `transport` for another transport or configuration; `other-seat` for the second seat over a transport whose first one runs `transport`.
 */
export type ConformanceScope = "full" | "transport" | "other-seat";

let buckets = 0;

interface Kind {
  readonly define: (use: UseContext) => void;
  /** The narrowest scope that runs it, and so do the wider ones. */
  readonly scope: ConformanceScope;
}

const SCOPES: readonly ConformanceScope[] = ["full", "transport", "other-seat"];

/** Every kind of case, and who has to run it, because of what can change it. */
const KINDS: readonly Kind[] = [
  // How a transport encodes names, sizes, attributes and errors, and how calls begin and end: this also depends on the servers.
  { define: rangeCases, scope: "other-seat" },
  { define: attributeCases, scope: "other-seat" },
  { define: missingCases, scope: "other-seat" },
  { define: listingCases, scope: "other-seat" },
  { define: multipartCases, scope: "other-seat" },
  { define: abortCases, scope: "other-seat" },
  { define: progressCases, scope: "other-seat" },
  { define: lifecycleCases, scope: "other-seat" },
  // How its connections carry many bytes, and slow ones: the same for both seats. tests/servers moves more bytes over every transport.
  { define: largeCases, scope: "transport" },
  { define: slowWayCases, scope: "transport" },
  // What the client decides before a call, and the engine or a store behind it: the contract suites have every store.
  { define: bodyCases, scope: "full" },
  { define: conditionCases, scope: "full" },
  { define: argumentCases, scope: "full" },
  { define: takenInputCases, scope: "full" },
  { define: removalCases, scope: "full" },
  { define: handleCases, scope: "full" },
];

/**
 * The promises of the object API as tests, the same for every seat and transport. A case that some seat cannot keep is a defect of that seat.
 * Skipped is only what the transport says that it cannot do (progress within a chunk), and what needs a slow connection where there is no socket.
 *
 * @param scope default `full`. The table above says which kinds of cases it has, and why.
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
    for (const kind of KINDS) if (SCOPES.indexOf(kind.scope) >= SCOPES.indexOf(scope)) kind.define(use);
  });
}

/** The scope of a seat over one transport: `full` for both seats, or `transport` for direct, which calls more servers, `other-seat` for gateway. */
export function scopeOfSeat(seat: "gateway" | "direct", scope: "full" | "transport"): ConformanceScope {
  return scope === "transport" && seat === "gateway" ? "other-seat" : scope;
}
