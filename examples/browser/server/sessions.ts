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
/** After this long, in ms, the store counts as not answering. The page waits a little longer for this server. */
const ANSWER_MS = 8000;

/**
 * Makes the bucket if it is missing. The API key stays in this process.
 *
 * @param tokenMs life of the page's tokens.
 * @throws Error that names the store, if it does not answer or refuses the key.
 */
export async function createSessions({ gatewayUrl, apiKey }: Store, tokenMs: number): Promise<Sessions> {
  const client = createClient(gateway({ url: gatewayUrl, apiKey }));
  try {
    await client.createBucket({ bucket: BUCKET, ifMissing: true, timeoutMs: ANSWER_MS });
  } catch (cause) {
    await client.close();
    const { code, message } = AshlarError.from(cause);
    throw new Error(`the store at ${gatewayUrl}: ${message} (${code})`, { cause });
  }
  return {
    async create() {
      // A real app gives each user a prefix of their own here: `prefix: "users/17/"`.
      const scope = { bucket: BUCKET, role: "readwrite" } as const;
      const life = { expiresInMs: tokenMs, timeoutMs: ANSWER_MS };
      const { token, expiresAtMs } = await client.createAccessToken({ ...scope, ...life });
      return { gatewayUrl, bucket: BUCKET, token, expiresAtMs };
    },
    close: () => client.close(),
  };
}
