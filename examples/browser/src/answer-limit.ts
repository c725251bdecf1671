/** Time limit of a list, a look at an object or a delete, in ms: the user is waiting and should get an answer. */
export const ANSWER_MS = 10_000;
