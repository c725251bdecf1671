import { setImmediate as nextTurn } from "node:timers/promises";

let last: Promise<void> = Promise.resolve();

/**
 * Waits for a turn of the event loop that nobody else has who waits here. A long list is decoded in one go when its last bytes are there: bodies that come
 * in together would be decoded one behind the other otherwise, before anybody else is heard.
 */
export function ownTurn(): Promise<void> {
  last = last.then(() => nextTurn());
  return last;
}
