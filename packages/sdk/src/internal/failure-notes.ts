import type { AshlarError } from "../errors/index.ts";
import { type LinkedAbort, linkAbort } from "./linked-abort.ts";

// What a call fails with and tries again, by its signal: so that it can say so if its time runs out meanwhile. Apart from the signals themselves,
// because a page loads those first and this with its first call.

interface FailureNote {
  error?: AshlarError | undefined;
  /** Of what the call waits for together with others, such as a ticket. */
  shared?: FailureNote;
}

const notes = new WeakMap<AbortSignal, FailureNote>();

function noteOf(signal: AbortSignal): FailureNote {
  const note = notes.get(signal) ?? {};
  notes.set(signal, note);
  return note;
}

/** As {@link linkAbort}; what fails under the new signal is noted for the call, and so is what fails under `owner`. */
export function linkCall(call: AbortSignal | undefined, owner?: AbortSignal): LinkedAbort {
  const link = linkAbort(call, owner);
  if (call) {
    const note = noteOf(call);
    notes.set(link.signal, note);
    if (owner) note.shared = noteOf(owner);
  }
  return link;
}

/** @param error `undefined`: it failed no more. */
export function noteFailure(signal: AbortSignal | undefined, error?: AshlarError): void {
  if (signal) noteOf(signal).error = error;
}

/** What the call of this signal is being tried again for. */
export function notedFailure(signal: AbortSignal): AshlarError | undefined {
  const { error, shared } = noteOf(signal);
  return error ?? shared?.error;
}
