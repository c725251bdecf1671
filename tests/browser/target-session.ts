import { EventEmitter } from "node:events";
import type { CDPSession as PlaywrightSession } from "playwright";
import type { CDPSession } from "vitest/node";

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

interface Call {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** A DevTools session with one page, through a session with its whole browser: for pages that Playwright does not know. */
export async function openTargetSession(browser: PlaywrightSession, targetId: string): Promise<CDPSession> {
  const events = new EventEmitter();
  const calls = new Map<number, Call>();
  const { sessionId } = await browser.send("Target.attachToTarget", { targetId, flatten: false });
  browser.on("Target.receivedMessageFromTarget", (event) => {
    if (event.sessionId !== sessionId) return;
    const { id, method, params, result, error } = JSON.parse(event.message) as Message;
    if (id === undefined) return void events.emit(method ?? "", params);
    const call = calls.get(id);
    calls.delete(id);
    if (error === undefined) call?.resolve(result);
    else call?.reject(new Error(error.message));
  });
  let lastId = 0;
  const send = async (method: string, params: object = {}): Promise<unknown> => {
    const id = ++lastId;
    const answer = new Promise((resolve, reject) => calls.set(id, { resolve, reject }));
    await browser.send("Target.sendMessageToTarget", { sessionId, message: JSON.stringify({ id, method, params }) });
    return await answer;
  };
  const session = {
    send,
    on: events.on.bind(events),
    off: events.off.bind(events),
    once: events.once.bind(events),
  };
  return session as unknown as CDPSession;
}
