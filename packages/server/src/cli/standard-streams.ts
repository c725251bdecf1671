import { fstatSync, readFileSync, statSync } from "node:fs";
import { AshlarError } from "@ashlar/sdk/errors";

/** Standard streams that whoever started the program left closed. */
export interface ClosedStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
}

/**
 * Finds out which streams were closed (`<&-`, `>&-`). Node opens `/dev/null` in their place, for reading and writing, as no shell does for `</dev/null` and
 * `>/dev/null`. Some programs do, for a child whose streams they discard (`subprocess.DEVNULL`, `stdio: "ignore"`): the two cannot be told apart, so only
 * commands whose very point is the stream refuse it, `put -` and `get … -`. Elsewhere than on Linux nobody can tell.
 */
export function closedStreams(): ClosedStreams {
  return { stdin: isOpenedByNode(0), stdout: isOpenedByNode(1) };
}

const ACCESS_MODE = 3;
const READ_AND_WRITE = 2;

function isOpenedByNode(descriptor: number): boolean {
  try {
    const { rdev, mode } = fstatSync(descriptor);
    const nothing = statSync("/dev/null");
    if (rdev !== nothing.rdev || mode !== nothing.mode) return false;
    const [, flags = "0"] = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8")) ?? [];
    return (Number.parseInt(flags, 8) & ACCESS_MODE) === READ_AND_WRITE;
  } catch {
    return false; // another system
  }
}

/** @param instead how nothing is meant. */
export function closedStream(name: string, instead: string): AshlarError {
  return new AshlarError("INVALID_ARGUMENT", `${name} is closed; ${instead}`);
}
