import { AshlarError } from "../errors/index.ts";
import { linkAbort, raceAbort } from "../internal/linked-abort.ts";
import { loadPart } from "../internal/load-part.ts";
import { createBucketHandle, type ReadsFor } from "./bucket-handle.ts";
import type { ClientParts } from "./client-calls.ts";
import { holdBody } from "./held-body.ts";
import { CLIENT_CALLS, type ClientCalls, type ObjectClient } from "./object-client.ts";
import type { Seat } from "./seat.ts";
import { createSeatOpener, type SeatOpener } from "./seat-opener.ts";
import { takenInput } from "./taken-input.ts";

/**
 * Creates a client for a seat. Opens nothing yet.
 *
 * @throws {AshlarError} INVALID_ARGUMENT if `seat` is no seat, but for example the function `embedded` instead of what it returns.
 *
 * @example
 * const client = createClient(embedded({ path: "./data" }));
 * await client.createBucket({ bucket: "photos" });
 * await client.putObject({ bucket: "photos", key: "cat.jpg", body: stream });
 */
export function createClient(seat: Seat): ObjectClient {
  const opener = createSeatOpener(seat);
  const { one, many, readsFor } = createCallers(opener, async () =>
    (await import("./client-calls.ts")).createClientParts(seat, opener),
  );
  const names = Object.keys(CLIENT_CALLS) as (keyof ClientCalls)[];
  const client: ObjectClient = {
    ...(Object.fromEntries(
      names.map((name) => [name, CLIENT_CALLS[name] === "one" ? one(name) : many(name)]),
    ) as unknown as ClientCalls),
    bucket: (bucket) => createBucketHandle(client, bucket, readsFor),
    close: () => opener.close(),
    [Symbol.asyncDispose]: () => opener.close(),
  };
  return client;
}

type Input = { readonly body?: unknown; readonly signal?: unknown } | undefined;

/** Makes the client's methods. The first call loads the code behind them. */
function createCallers(opener: SeatOpener, load: () => Promise<ClientParts>) {
  let loading: Promise<ClientParts> | undefined;
  const parts = async (input: Input): Promise<ClientParts> => {
    loading ??= loadPart(load).catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    const signal = input?.signal;
    // The call itself reports a signal that is aborted already: its error has the names of bucket and key.
    const link = linkAbort(signal instanceof AbortSignal && !signal.aborted ? signal : undefined);
    const forget = opener.onClose(link.abort);
    try {
      return await raceAbort(loading, link.signal);
    } finally {
      forget();
      link.unlink();
    }
  };
  // Input and error are taken in the turn of the call: later, the caller may reuse its objects for the next call, and no stack would show the caller.
  const one = <Name extends keyof ClientCalls>(name: Name, caller?: Error): ClientCalls[Name] =>
    ((input: Input) => runCall(takenInput(input), name, caller ?? new Error())) as never;
  const readsFor: ReadsFor = (caller) => ({
    getObject: one("getObject", caller),
    headObject: one("headObject", caller),
  });
  const many = <Name extends keyof ClientCalls>(name: Name): ClientCalls[Name] =>
    ((input: Input) => walkCall(takenInput(input), name, new Error())) as never;

  async function runCall(input: Input, name: keyof ClientCalls, caller: Error): Promise<unknown> {
    const held = name === "putObject" || name === "writePart" ? holdBody(input?.body) : undefined;
    let explain = AshlarError.from as (thrown: unknown) => AshlarError;
    let isDone = false;
    try {
      const loaded = await parts(input);
      explain = (thrown) => loaded.explain(thrown, { name, input, caller });
      const result = await loaded.run(name, input, held, explain);
      isDone = true;
      return result;
    } catch (error) {
      throw explain(error);
    } finally {
      held?.letGo(isDone);
    }
  }

  async function* walkCall(input: Input, name: keyof ClientCalls, caller: Error): AsyncGenerator<unknown> {
    const loaded = await parts(input);
    const explain = (thrown: unknown): AshlarError => loaded.explain(thrown, { name, input, caller });
    try {
      yield* loaded.run(name, input, undefined, explain) as AsyncIterable<unknown>;
    } catch (error) {
      throw explain(error);
    }
  }

  return { one, many, readsFor };
}
