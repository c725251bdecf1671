/** What the conformance cases need from their platform, in a browser; see platform-nodejs.ts. */
import { sha256 } from "@noble/hashes/sha2.js";
import type { AbortListeners, PlatformBody, Sha256 } from "./platform.ts";

/** A SHA-256 in JavaScript: the SDK uses the browser's own for a digest in one go. */
export function createSha256(): Sha256 {
  const hash = sha256.create();
  return {
    update: (bytes) => void hash.update(bytes),
    hex: () => Array.from(hash.digest(), (byte) => byte.toString(16).padStart(2, "0")).join(""),
  };
}

/** Counts the listeners that are added from now on: a page cannot ask for the earlier ones. */
export function watchAbortListeners(signal: AbortSignal): AbortListeners {
  const listening = new Map<unknown, boolean>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...call: Parameters<typeof add>): void => {
    const [type, listener, options] = call;
    if (type === "abort") listening.set(listener, typeof options === "object" && options.once === true);
    add(...call);
  };
  signal.removeEventListener = (...call: Parameters<typeof remove>): void => {
    listening.delete(call[1]);
    remove(...call);
  };
  add("abort", () => {
    for (const [listener, once] of listening) if (once) listening.delete(listener);
  });
  return { count: () => listening.size };
}

/** Resolves in a later turn of the event loop, as soon as there is one: timers would wait 4 ms. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/** Kinds of bodies that only this platform has. */
export const PLATFORM_BODIES: readonly PlatformBody[] = [["what comes out of a TransformStream", throughTransform]];

function throughTransform(slices: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const pump = async (): Promise<void> => {
    for await (const slice of slices) await writer.write(slice);
    await writer.close();
  };
  pump().catch((error: unknown) => writer.abort(error));
  return readable;
}

/** Distinguishes runs that share a store. */
export const RUN_ID: string = crypto.randomUUID().slice(0, 8);
