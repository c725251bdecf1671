/**
 * Bytes in memory that may be lent. A reader that gives a piece back promises that nobody reads or fills it any more. A reader that cannot promise
 * that, or that copies the bytes somewhere else, does not give the piece back, and may keep it.
 */
export interface Piece {
  readonly bytes: Uint8Array;
  readonly byteLength: number;
  /** At most once; calls after the first do nothing. */
  giveBack(): void;
}

/** A part of a file as the body of an answer: read piece by piece as the client takes it, into memory that is lent. */
export interface FileRange {
  readonly pieces: AsyncIterable<Piece>;
}

/** A body that is made while it is sent. */
export type StreamedBody = AsyncIterable<Uint8Array> | FileRange;

export function isFileRange(body: StreamedBody): body is FileRange {
  return "pieces" in body;
}

/** The same body with its slices or pieces passed through `wrap`. */
export function wrapBody(
  body: StreamedBody,
  wrap: <Slice extends Sized>(slices: AsyncIterable<Slice>) => AsyncIterable<Slice>,
): StreamedBody {
  return isFileRange(body) ? { pieces: wrap(body.pieces) } : wrap(body);
}

/** A slice or piece of a body. */
export interface Sized {
  readonly byteLength: number;
}

/** The pieces of a body, or its slices if it is no file range; the reader may keep slices. */
export function iteratorOf(body: StreamedBody): AsyncIterator<Uint8Array | Piece> {
  return isFileRange(body) ? body.pieces[Symbol.asyncIterator]() : body[Symbol.asyncIterator]();
}

/** The bytes of pieces, for readers that never give them back. No generator: one that nobody began to read would not close the pieces. */
export function bytesOf(pieces: AsyncIterable<Piece>): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
      const iterator = pieces[Symbol.asyncIterator]();
      return {
        async next() {
          const { done, value } = await iterator.next();
          return done === true ? { done, value: undefined } : { done: false, value: value.bytes };
        },
        async return() {
          await iterator.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

/** Reads the first slice of a body before the answer begins: if that fails, the answer is an error, and not a 200 without its bytes. */
export async function begun<Slice>(body: AsyncIterable<Slice>): Promise<AsyncIterable<Slice>> {
  const iterator = body[Symbol.asyncIterator]();
  let first: IteratorResult<Slice> | undefined = await iterator.next();
  return {
    // No generator: one that nobody began to read would not close the body.
    [Symbol.asyncIterator]: () => ({
      async next() {
        const next = first;
        first = undefined;
        return next ?? (await iterator.next());
      },
      return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
    }),
  };
}
