import type { AshlarError } from "../errors/index.ts";
import { type LinkedAbort, linkAbort } from "./linked-abort.ts";

// Keeps, by a call's signal, the error for which the call is being retried, so that a timeout can report it. Separate from linked-abort.ts, because a
// page loads that file first and this one with its first call.

interface FailureNote {
  error?: AshlarError | undefined;
  /** The note of work that several calls wait for, such as a ticket. */
  shared?: FailureNote;
}

const notes = new WeakMap<AbortSignal, FailureNote>();

function noteOf(signal: AbortSignal): FailureNote {
  const note = notes.get(signal) ?? {};
  notes.set(signal, note);
  return note;
}

/** Like {@link linkAbort}. Failures under the new signal are noted for the call, and so are failures under `owner`. */
export function linkCall(call: AbortSignal | undefined, owner?: AbortSignal): LinkedAbort {
  const link = linkAbort(call, owner);
  if (call) {
    const note = noteOf(call);
    notes.set(link.signal, note);
    if (owner) note.shared = noteOf(owner);
  }
  return link;
}

/** @param error `undefined`: the last try did not fail. */
export function noteFailure(signal: AbortSignal | undefined, error?: AshlarError): void {
  if (signal) noteOf(signal).error = error;
}

/** The error for which the call of this signal is being retried. */
export function notedFailure(signal: AbortSignal): AshlarError | undefined {
  const { error, shared } = noteOf(signal);
  return error ?? shared?.error;
}
