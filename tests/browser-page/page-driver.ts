import { type Browser, type BrowserContext, chromium, type Locator, type Page } from "playwright";
import { expect } from "vitest";
import { CHROMIUM_ARGS, findChromium, requiresChromium } from "../support/chromium.ts";

export type SeatLabel = "Gateway" | "Direct";
export type TransportLabel = "HTTP" | "Connect" | "gRPC-Web";

/** Whether there is no Chromium. @throws where there has to be one. The project "browser" prints what is missing. */
export function isWithoutChromium(): boolean {
  const missing = findChromium() === undefined;
  if (missing && requiresChromium()) throw new Error("there is no Chromium: install it, or set CHROMIUM");
  return missing;
}

/** Starts the browser. The tests of the page are skipped where there is none. */
export function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error("there is no Chromium");
  return chromium.launch({ executablePath, args: [...CHROMIUM_ARGS] });
}

/** A page that is open, and what it did. */
export interface PageDriver {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors that no code of the page has caught. */
  readonly errors: readonly string[];
  /** Chooses seat and transport of the transfers that start from now on. */
  choose(seat: SeatLabel, transport: TransportLabel, options?: { readonly nodes: boolean }): Promise<void>;
  /** Presses a button at once: a click waits for frames, which a busy machine draws late, and an upload does not wait. */
  press(name: string): Promise<void>;
  /** Limits what the page sends to this many bytes a second, 0 for no network at all; `undefined`: no limit. */
  throttle(bytesPerSecond: number | undefined): Promise<void>;
  /** Lets this many more chunks through, and holds all later ones until {@link letGo}: an upload then stays where it is, on any machine. */
  holdAfter(chunkCount: number): Promise<void>;
  /** Lets some of those that are held go on, or that come next. */
  letThrough(chunkCount: number): void;
  /** Takes the network away until {@link letGo} and an unlimited {@link throttle}: chunks that are held, and all later requests, fail at once. */
  cut(): Promise<void>;
  letGo(): Promise<void>;
  /** Waits until the transfer of the name is in the state. */
  untilState(name: string, state: string, timeoutMs?: number): Promise<void>;
  /** Moves the page's own clock forward until each was visible once. The page does nothing but wait; it must have been opened `hurried`. */
  hurryUntil(...shown: Locator[]): Promise<void>;
  /** The line under the transfer's name. */
  detail(name: string): Promise<string>;
  /** Bytes of request bodies sent so far, of chunks only. */
  readonly sentChunkBytes: () => Promise<number>;
  close(): Promise<void>;
}

const CHUNK_URL = /\/chunks\/|WriteChunk/;
/** Machines that run tests are busy. */
const WAIT_MS = 90_000;

/** How a page is opened. */
export interface PageOptions {
  /** The browser profile; default: one of its own, which ends with the page. */
  readonly context?: BrowserContext;
  /** Gives the page a clock that can be moved forward and otherwise runs as usual. Default: the machine's clock. */
  readonly hurried?: boolean;
}

/** The part of Playwright's own session with a page that it shows nobody. */
interface WatchedPage {
  readonly _connection: {
    toImpl(page: Page): {
      readonly delegate: {
        readonly _mainFrameSession: { readonly _client: { send(method: string, params: object): Promise<unknown> } };
      };
    };
  };
}

/**
 * Has the browser report requests to Playwright without their bodies. It sends each body in base64 otherwise, twice: a second of both processes for
 * 4 MiB. Playwright has no option for it, so its own session with the page is asked again, with the one parameter that it leaves out.
 */
async function watchWithoutBodies(page: Page): Promise<void> {
  const { delegate } = (page as unknown as WatchedPage)._connection.toImpl(page);
  await delegate._mainFrameSession._client.send("Network.enable", { maxPostDataSize: 1 });
}

export async function openPage(browser: Browser, url: string, options: PageOptions = {}): Promise<PageDriver> {
  const { context, hurried = false } = options;
  const own = context ?? (await browser.newContext({ viewport: { width: 1280, height: 800 } }));
  const page = await own.newPage();
  if (hurried) await page.clock.install();
  page.setDefaultTimeout(WAIT_MS);
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.stack ?? error.message));
  const sizes: Promise<number>[] = [];
  page.on("requestfinished", (request) => {
    // Of the head: the watcher has no bodies.
    if (CHUNK_URL.test(request.url())) sizes.push(request.headerValue("content-length").then(Number));
  });
  await watchWithoutBodies(page);
  await page.goto(url);
  await page
    .getByRole("status")
    .filter({ hasText: /through|straight/ })
    .waitFor({ timeout: WAIT_MS });
  let release = (_chunkCount: number): void => {};
  let isCut = false;
  const devtools = await own.newCDPSession(page);
  const row = (name: string) => page.locator("#transfers li", { hasText: name });
  const throttle = async (bytesPerSecond = -1): Promise<void> => {
    const limits = { latency: 0, downloadThroughput: -1, uploadThroughput: bytesPerSecond };
    await devtools.send("Network.emulateNetworkConditions", { offline: bytesPerSecond === 0, ...limits });
  };
  return {
    ...{ page, context: own, errors },
    async choose(seat, transport, { nodes } = { nodes: true }) {
      await page.getByRole("radio", { name: seat, exact: true }).check({ force: true });
      await page.getByRole("radio", { name: transport, exact: true }).check({ force: true });
      const where = page.getByRole("status").filter({ hasText: seat === "Direct" && nodes ? "straight" : "through" });
      await where.waitFor({ timeout: WAIT_MS });
    },
    press: (name) => page.getByRole("button", { name }).evaluate((button: HTMLButtonElement) => button.click()),
    throttle,
    async holdAfter(chunkCount) {
      let freeCount = chunkCount;
      const held: (() => void)[] = [];
      await page.route(CHUNK_URL, async (route) => {
        if (freeCount-- <= 0) await new Promise<void>((resolve) => void held.push(resolve));
        // The page may have gone, or have given the request up.
        await (isCut ? route.abort("internetdisconnected") : route.continue()).catch(() => {});
      });
      release = (count) => {
        freeCount = Math.max(0, freeCount) + Math.max(0, count - held.length);
        for (const next of held.splice(0, count)) next();
      };
    },
    letThrough: (chunkCount) => release(chunkCount),
    async cut() {
      isCut = true;
      await throttle(0);
      release(Number.POSITIVE_INFINITY);
    },
    async letGo() {
      isCut = false;
      await page.unroute(CHUNK_URL);
      release(Number.POSITIVE_INFINITY);
    },
    async untilState(name, state, timeoutMs = WAIT_MS) {
      const wanted = page.locator(`#transfers li[data-state="${state}"]`, { hasText: name });
      await wanted.waitFor({ timeout: timeoutMs }).catch(async (error: unknown) => {
        throw new Error(`${name} is not ${state}: ${await page.locator("main").textContent()}`, { cause: error });
      });
    },
    async hurryUntil(...shown) {
      const left = new Set(shown);
      const look = async (): Promise<string> => {
        await page.clock.fastForward(1000);
        for (const each of left) if (await each.isVisible()) left.delete(each);
        return left.size === 0 ? "" : ((await page.locator("main").textContent()) ?? "").replaceAll(/\s+/g, " ");
      };
      await expect.poll(look, { timeout: WAIT_MS, interval: 100 }).toBe("");
    },
    detail: async (name) => (await row(name).locator(".detail").textContent()) ?? "",
    sentChunkBytes: async () => (await Promise.all(sizes)).reduce((sum, each) => sum + each, 0),
    async close() {
      await page.close();
      if (context === undefined) await own.close();
      expect(errors).toEqual([]);
    },
  };
}
