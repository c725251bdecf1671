import type { Chunker } from "../chunking/chunker.ts";
import { callerError } from "../errors/ashlar-error.ts";
import type { Hasher } from "../hash/hasher.ts";
import { dropRejection } from "../internal/app-functions.ts";

/**
 * The answer of a function of the caller that must answer at once. A promise is refused, and its rejection is dropped, as nobody waits for it.
 *
 * @throws {AshlarError} INVALID_ARGUMENT that names the part, see `callerError`, also for an answer that is not `fine`.
 */
function answerOf<T>(part: string, call: () => T, fine: (answer: T) => boolean = () => true): T {
  try {
    const answer = call();
    if (!dropRejection(answer) && fine(answer)) return answer;
    throw new Error(`it answered ${String(answer)}`);
  } catch (error) {
    throw callerError(part, error);
  }
}

const CHUNKER = "the chunker";
const HASHER = "the hasher";

/** A chunker of the caller. Its failures and impossible cuts are INVALID_ARGUMENT and name it. */
export function callersChunker(chunker: Chunker | undefined): Chunker | undefined {
  return (
    chunker && {
      name: chunker.name,
      start(totalBytes) {
        const cutter = answerOf(
          CHUNKER,
          () => chunker.start(totalBytes),
          (given) => given?.maxBytes > 0 && Number.isSafeInteger(given.maxBytes),
        );
        return {
          maxBytes: cutter.maxBytes,
          cut: (buffered, ended) =>
            answerOf(
              CHUNKER,
              () => cutter.cut(buffered, ended) as number,
              (length) => length > 0 && length <= buffered.byteLength && Number.isSafeInteger(length),
            ),
        };
      },
    }
  );
}

/** A hasher of the caller. Its failures are INVALID_ARGUMENT and name it. */
export function callersHasher(hasher: Hasher): Hasher {
  const waited = async <T>(call: () => T): Promise<Awaited<T>> => {
    try {
      return await call();
    } catch (error) {
      throw callerError(HASHER, error);
    }
  };
  return {
    digest: (bytes) => waited(() => hasher.digest(bytes)),
    async incremental() {
      const hash = await waited(() => hasher.incremental());
      return {
        update: (bytes) => void answerOf(HASHER, () => hash.update(bytes)),
        digest: () => answerOf(HASHER, () => hash.digest()),
      };
    },
  };
}
