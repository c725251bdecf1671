import type { PgClient, PgResult } from "./postgres-client.ts";

/** Where statements go. */
export type StatementSender = Pick<PgClient, "query">;

/** The statements of one transaction, or of one operation without any. */
export interface StatementsInOrder extends StatementSender {
  /** Settles when the connection is free for others' statements. */
  settled(): Promise<void>;
}

/**
 * Sends statements in the order of the calls; a statement behind a failed one fails with the same error.
 *
 * A connection that pipelines sends each at once, so statements that are called together cost one round trip; in the transaction, statements after a
 * failure have no effect. Any other connection sends each after the answer to the one before, and nothing after a failure.
 */
export function statementsInOrder(client: PgClient): StatementsInOrder {
  let before: Promise<unknown> = Promise.resolve();
  let failed = false;
  const sendNow = async (earlier: Promise<unknown>, send: () => Promise<PgResult>): Promise<PgResult> => {
    const answer = send();
    answer.catch(() => {
      failed = true;
    });
    await earlier; // first: an answer behind a failure says only that there was one
    return await answer;
  };
  return {
    query(config) {
      // Async, because a driver may throw as well as reject.
      const send = async (): Promise<PgResult> => await client.query(config);
      // Behind a known failure nothing is sent: the transaction may have been rolled back by then.
      const answer = client.pipeline === true && !failed ? sendNow(before, send) : before.then(send);
      before = answer;
      answer.catch(() => {}); // locks are not waited for
      return answer;
    },
    async settled() {
      await before.catch(() => {});
    },
  };
}

/**
 * Sends the last statements of a transaction, and `commit` behind them, and waits for all answers.
 *
 * @throws the error of the first statement that failed.
 */
export async function sendLast(
  statements: ReadonlyArray<() => Promise<unknown>>,
  commit: () => Promise<unknown>,
): Promise<void> {
  const sent = statements.map((send) => send());
  const answered = allAnswered(sent);
  answered.catch(() => {});
  // The driver refuses at once what it cannot encode, and the server never gets it: after this tick that is known, and COMMIT does not follow.
  await new Promise<void>((resolve) => process.nextTick(resolve));
  await allAnswered([answered, commit()]);
}

/** Waits for the answers of statements in their order. @throws the error of the first that failed; the others failed because of it. */
export async function allAnswered(answers: ReadonlyArray<Promise<unknown>>): Promise<void> {
  for (const outcome of await Promise.allSettled(answers)) if (outcome.status === "rejected") throw outcome.reason;
}
