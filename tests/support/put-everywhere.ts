import type { ObjectClient, PutObjectInput } from "@ashlar/sdk";
import { expect, vi } from "vitest";

/** A busy machine takes its time. */
const LIMIT_MS = 90_000;

/**
 * Puts until the answer says that every copy is there. A put is answered when the write quorum holds each chunk: on a busy machine a node may be late,
 * or not be known yet. Putting the same again restores what it missed.
 */
export async function putEverywhere(
  client: Pick<ObjectClient, "putObject">,
  request: PutObjectInput & { readonly body: Uint8Array<ArrayBuffer> },
  copies = 3,
): Promise<void> {
  // Not expect.poll, which works in tests only.
  await vi.waitFor(async () => expect((await client.putObject(request)).replicas).toBe(copies), {
    timeout: LIMIT_MS,
    interval: 100,
  });
}
