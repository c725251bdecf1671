/** Access to the store for a few minutes, from the app's own server. The page never sees an API key. */
export interface Session {
  readonly gatewayUrl: string;
  readonly bucket: string;
  readonly token: string;
  readonly expiresAtMs: number;
}

const STARTING_RETRY_MS = 500;
const STARTING_TRIES = 60;

let asking: Promise<Session> | undefined;

/** A session from the app's server. Calls that come while one is being asked for share it. */
export function newSession(): Promise<Session> {
  asking ??= ask().finally(() => {
    asking = undefined;
  });
  return asking;
}

async function ask(): Promise<Session> {
  let answer = await fetch("/api/session", { method: "POST" });
  // The app's server is there before its store.
  for (let tries = 0; answer.status === 503 && tries < STARTING_TRIES; tries++) {
    await new Promise((resolve) => setTimeout(resolve, STARTING_RETRY_MS));
    answer = await fetch("/api/session", { method: "POST" });
  }
  if (!answer.ok) throw new Error(`the app's server gave no session: ${answer.status}`);
  return (await answer.json()) as Session;
}
