/** A list, a look at an object or a delete that takes longer is given up, in ms: somebody waits before the page, and should be told. */
export const ANSWER_MS = 10_000;
