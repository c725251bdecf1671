/**
 * The app of one row, in a process of its own so that its memory and its event loop are its own: reads an {@link AppTask} as JSON from
 * standard input, runs the load, and prints the report as JSON.
 */
import { text } from "node:stream/consumers";
import { type LoadPlan, runLoad } from "../load/run-load.ts";
import type { ClientSpec } from "./client-spec.ts";
import { openStoreClient } from "./open-client.ts";

/** The task of the app. */
export interface AppTask {
  readonly client: ClientSpec;
  readonly plan: LoadPlan;
}

const { client: spec, plan } = JSON.parse(await text(process.stdin)) as AppTask;
const client = await openStoreClient(spec);
process.stdout.write(`${JSON.stringify(await runLoad(client, plan))}\n`);
await client.close();
// A server in this process (in-process) has timers of its own.
process.exit(0);
