import { AshlarError } from "@ashlar/sdk/errors";
import { ashlarErrorFrom } from "@ashlar/sdk/rpc";
import { Code, ConnectError } from "@connectrpc/connect";

/** How the RPC library's messages about a broken protocol begin; it calls some of these errors Unimplemented. */
const PROTOCOL_ERROR = /^protocol error: /;

/** Statuses that the library gives to input it cannot read: malformed protobuf and compressed envelopes are Internal to it. */
const UNREADABLE: ReadonlySet<Code> = new Set([Code.Internal, Code.Unknown, Code.InvalidArgument]);

/**
 * The error of a request that could not be read.
 *
 * An error while a client's input is decoded is the client's fault, whatever the library calls it: INVALID_ARGUMENT. Three errors keep their codes.
 * An unknown compression stays UNSUPPORTED, which tells clients to send without one (so say the specifications of gRPC and Connect); a message over
 * the limit stays OBJECT_TOO_LARGE, and a body that was cut off CANCELED.
 */
export function decodeFault(error: unknown): AshlarError {
  if (AshlarError.is(error)) return error;
  const known = ashlarErrorFrom(error);
  if (!(error instanceof ConnectError)) return known.code === "INTERNAL" ? unreadable(known.message, error) : known;
  if (AshlarError.is(error.cause)) return known;
  if (UNREADABLE.has(error.code) || PROTOCOL_ERROR.test(error.rawMessage)) return unreadable(error.rawMessage, error);
  return known;
}

/**
 * The messages of a streaming call, whose errors are those of {@link decodeFault}.
 *
 * @param options.single the method takes exactly one message: none and two are INVALID_ARGUMENT.
 */
export async function* decodedMessages<Message>(
  messages: AsyncIterable<Message>,
  { single }: { readonly single: boolean },
): AsyncGenerator<Message, void, undefined> {
  let count = 0;
  const iterator = messages[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await iterator.next().catch((error: unknown) => {
        throw decodeFault(error);
      });
      if (next.done === true) break;
      count++;
      if (single && count > 1) throw unreadable("the method takes one message");
      yield next.value;
    }
    if (single && count === 0) throw unreadable("the message is missing");
  } finally {
    // Not awaited: an iterator that waits for the network would not answer.
    iterator.return?.().then(undefined, () => {});
  }
}

function unreadable(problem: string, cause?: unknown): AshlarError {
  return new AshlarError("INVALID_ARGUMENT", `the request cannot be read: ${problem}`, { cause });
}
