import type { PgClient, PgResult } from "./postgres-client.ts";

/** Where statements go. */
export type StatementSender = Pick<PgClient, "query">;

/**
 * Sends the statements of one transaction in the order of the calls; one behind a statement that failed fails as that one did.
 *
 * A connection that pipelines sends each at once, so statements that are asked together cost one round trip; the transaction keeps what follows a
 * failure from having an effect. Any other connection sends each after the answer to the one before, and nothing after a failure.
 */
export function statementsInOrder(client: PgClient): StatementSender & {
  /** Settles when the connection is free for others' statements. */
  settled(): Promise<void>;
} {
  let before: Promise<unknown> = Promise.resolve();
  let failed = false;
  return {
    async settled() {
      await before.catch(() => {});
    },
    query(config) {
      const earlier = before;
      const send = (): Promise<PgResult> => client.query(config);
      // Behind a known failure nothing is sent: the transaction may have been rolled back by then.
      const answer = client.pipeline === true && !failed ? answerAfter(earlier, send) : earlier.then(send);
      before = answer;
      answer.catch(() => {
        failed = true;
      });
      return answer;
    },
  };
}

async function answerAfter(earlier: Promise<unknown>, send: () => Promise<PgResult>): Promise<PgResult> {
  const [, result] = await Promise.all([earlier, send()]);
  return result;
}

/**
 * Sends the last statements of a transaction, and `commit` behind them, and waits for all answers.
 *
 * @throws what the first statement that failed was answered.
 */
export async function sendLast(
  statements: ReadonlyArray<() => Promise<unknown>>,
  commit: () => Promise<unknown>,
): Promise<void> {
  const sent = statements.map((send) => send());
  // What the driver cannot encode it refuses at once, and the server never hears of it: COMMIT must not follow.
  await Promise.race([Promise.all(sent), new Promise<void>((resolve) => process.nextTick(resolve))]);
  for (const outcome of await Promise.allSettled([...sent, commit()]))
    if (outcome.status === "rejected") throw outcome.reason;
}
