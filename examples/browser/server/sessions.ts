import { AshlarError, createClient, gateway } from "@ashlar/sdk";
import type { Store } from "./store.ts";

/** What the page needs to reach the store. */
export interface Session {
  readonly gatewayUrl: string;
  readonly bucket: string;
  /** The bearer value of the page's calls. */
  readonly token: string;
  readonly expiresAtMs: number;
}

/** Gives access to one bucket, a few minutes at a time. */
export interface Sessions {
  create(): Promise<Session>;
  close(): Promise<void>;
}

const BUCKET = "browser-example";
const SESSION_MS = 5 * 60_000;

/** Makes the bucket if it is missing. The API key stays in this process. */
export async function createSessions({ gatewayUrl, apiKey }: Store): Promise<Sessions> {
  const client = createClient(gateway({ url: gatewayUrl, apiKey }));
  await client.createBucket({ bucket: BUCKET }).catch((error: unknown) => {
    if (!AshlarError.is(error, "BUCKET_ALREADY_EXISTS")) throw error;
  });
  return {
    create: async () => ({ gatewayUrl, bucket: BUCKET, token: apiKey, expiresAtMs: Date.now() + SESSION_MS }),
    close: () => client.close(),
  };
}
