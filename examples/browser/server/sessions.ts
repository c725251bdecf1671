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

/** Makes the bucket if it is missing. The API key stays in this process. @param tokenMs life of the page's tokens. */
export async function createSessions({ gatewayUrl, apiKey }: Store, tokenMs: number): Promise<Sessions> {
  const client = createClient(gateway({ url: gatewayUrl, apiKey }));
  await client.createBucket({ bucket: BUCKET }).catch((error: unknown) => {
    if (!AshlarError.is(error, "BUCKET_ALREADY_EXISTS")) throw error;
  });
  return {
    async create() {
      // A real app gives each user a prefix of their own here: `prefix: "users/17/"`.
      const scope = { bucket: BUCKET, role: "readwrite" } as const;
      const { token, expiresAtMs } = await client.createAccessToken({ ...scope, expiresInMs: tokenMs });
      return { gatewayUrl, bucket: BUCKET, token, expiresAtMs };
    },
    close: () => client.close(),
  };
}
