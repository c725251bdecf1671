import { PlaywrightBrowserProvider, type PlaywrightProviderOptions, playwright } from "@vitest/browser-playwright";
import type { CDPSession as PlaywrightSession } from "playwright";
import type { BrowserProviderOption, CDPSession, TestProject } from "vitest/node";
import { openTargetSession } from "./target-session.ts";

/**
 * Chromium for vitest, in pages that Playwright does not watch.
 *
 * Playwright has the browser report every request to it, with its body in base64: 4 MiB of a `Uint8Array` then take a second before their first
 * byte leaves (4 MiB/s instead of 200, measured with Chromium 156), which would make any test of speed, progress or aborts a test of Playwright.
 * Playwright ignores pages that others open in the browser's default context.
 */
export function quietChromium(options: PlaywrightProviderOptions): BrowserProviderOption<PlaywrightProviderOptions> {
  return { ...playwright(options), providerFactory: (project) => new QuietChromium(project, options) };
}

class QuietChromium extends PlaywrightBrowserProvider {
  readonly #targets = new Map<string, string>();
  #browser: PlaywrightSession | undefined;

  constructor(project: TestProject, options: PlaywrightProviderOptions) {
    super(project, options);
  }

  override async openPage(sessionId: string, url: string, options: { parallel: boolean }): Promise<void> {
    // Starts the browser; the empty page stays, for commands that ask for one.
    await super.openPage(sessionId, "about:blank", options);
    const session = await this.#browserSession();
    const old = this.#targets.get(sessionId);
    if (old !== undefined) await session.send("Target.closeTarget", { targetId: old });
    const { targetId } = await session.send("Target.createTarget", { url });
    this.#targets.set(sessionId, targetId);
  }

  /** A session with the page itself, which coverage asks for. */
  override async getCDPSession(sessionId: string): Promise<CDPSession> {
    const browser = await this.#browserSession();
    const targetId = this.#targets.get(sessionId);
    if (targetId === undefined) throw new Error(`no page was opened for ${sessionId}`);
    return openTargetSession(browser, targetId);
  }

  async #browserSession(): Promise<PlaywrightSession> {
    if (this.browser === null) throw new Error("the browser is not running");
    this.#browser ??= await this.browser.newBrowserCDPSession();
    return this.#browser;
  }
}
