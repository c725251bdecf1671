import { AshlarError } from "@ashlar/sdk";
import { ANSWER_MS } from "./answer-limit.ts";

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

/** A session from the app's server. Calls that come while one is requested share it. */
export function newSession(): Promise<Session> {
  asking ??= ask().finally(() => {
    asking = undefined;
  });
  return asking;
}

async function ask(): Promise<Session> {
  let answer = await post();
  // The app's server starts before its store.
  for (let tries = 0; answer.status === 503 && tries < STARTING_TRIES; tries++) {
    await new Promise((resolve) => setTimeout(resolve, STARTING_RETRY_MS));
    answer = await post();
  }
  if (answer.status === 502) throw new AshlarError("NODE_UNAVAILABLE", "the store does not answer the app's server");
  if (!answer.ok) throw new Error(`the app's server gave no session: ${answer.status}`);
  return (await answer.json()) as Session;
}

function post(): Promise<Response> {
  return fetch("/api/session", { method: "POST", signal: AbortSignal.timeout(ANSWER_MS) });
}
