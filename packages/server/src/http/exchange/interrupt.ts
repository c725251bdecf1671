/** Ends a wait from outside. `Promise.race` with one promise could do it too, but would collect a reaction for every slice of a body. */
export interface Interrupt {
  /** Settles as `work` does, unless {@link strike} comes first. A later result of `work` is dropped. */
  wait<Value>(work: Promise<Value>): Promise<Value>;
  /** Rejects the current wait and all later ones. Only the first error counts. */
  strike(error: Error): void;
}

/** For one waiter at a time, as a reader or a writer of a body is. */
export function createInterrupt(): Interrupt {
  let struck: Error | undefined;
  let fail: ((error: Error) => void) | undefined;
  return {
    wait(work) {
      return new Promise((resolve, reject) => {
        if (struck !== undefined) {
          work.catch(() => {});
          reject(struck);
          return;
        }
        fail = reject;
        work.then(
          (value) => {
            fail = undefined;
            resolve(value);
          },
          (error: unknown) => {
            fail = undefined;
            reject(error);
          },
        );
      });
    },
    strike(error) {
      if (struck !== undefined) return;
      struck = error;
      fail?.(error);
      fail = undefined;
    },
  };
}
