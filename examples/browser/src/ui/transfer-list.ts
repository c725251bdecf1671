import { createSpeedMeter, type SpeedMeter } from "../transfers/speed-meter.ts";
import type { Transfer, TransferState, TransferStatus } from "../transfers/transfer.ts";
import { isPausable, isResumable, type TransferQueue } from "../transfers/transfer-queue.ts";
import { button, element, nameText } from "./elements.ts";
import { explainError } from "./explain-error.ts";
import { formatBytes, formatCount, formatSeconds } from "./format.ts";
import { icon } from "./icons.ts";
import { announce, attempt } from "./notices.ts";
import { visibleName } from "./visible-name.ts";

/** One line of the list, and its state. */
interface Row {
  readonly node: HTMLLIElement;
  readonly update: () => void;
}

/** Redraws at most this often, in ms: the numbers are for people. */
const REDRAW_MS = 100;
/** Redraws at least this often while bytes should move, to show also that none do. */
const LOOK_AGAIN_MS = 1000;
/** After so many ms without a byte, the list says that the store does not answer. */
const STALLED_MS = 8000;
/** States in which the store has to do something. */
const MOVING: ReadonlySet<TransferState> = new Set(["moving", "finishing"]);

/** The most rows that are drawn: with thousands of files the page would not react. Running transfers are always among them. */
const ROWS_MAX = 100;
/** What the user may want to look at first. */
const RANKS: Readonly<Record<TransferState, number>> = {
  ...{ finishing: 0, moving: 0, checking: 0, failed: 1, paused: 2, waiting: 3, done: 4, canceled: 4 },
};

/** Running ones first, ended ones last; those of a kind in the order in which they came. */
function inOrder(transfers: readonly Transfer[]): readonly Transfer[] {
  return transfers
    .map((transfer) => ({ transfer, rank: RANKS[transfer.status().state] }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ transfer }) => transfer);
}

/** Puts the rows in order and moves only those in a wrong place; a row with the focus keeps it. */
function place(list: HTMLElement, nodes: readonly HTMLElement[]): void {
  const focused = document.activeElement;
  for (const [index, node] of nodes.entries()) {
    const there = list.children[index];
    if (there !== node) list.insertBefore(node, there ?? null);
  }
  if (focused instanceof HTMLElement && focused !== document.activeElement && list.contains(focused))
    focused.focus({ preventScroll: true });
}

/** The list of transfers with the totals above it. `changed` redraws it soon. */
export function createTransferList(queue: TransferQueue): { readonly node: HTMLElement; changed(): void } {
  const rows = new Map<Transfer, Row>();
  const list = element("ul", { class: "transfers", "aria-label": "Transfers" });
  const total = createTotal(queue);
  const rest = element("p", { class: "faint", hidden: true });
  const node = element("div", {}, total.node, list, rest);
  let isDue = false;
  let lookingAgain: ReturnType<typeof setTimeout> | undefined;
  const changed = (): void => {
    if (isDue) return;
    isDue = true;
    setTimeout(redraw, REDRAW_MS);
  };
  const redraw = (): void => {
    isDue = false;
    const transfers = queue.transfers();
    const shown = inOrder(transfers).slice(0, ROWS_MAX);
    const kept = new Set(shown);
    for (const [transfer, row] of rows) {
      if (kept.has(transfer)) continue;
      row.node.remove();
      rows.delete(transfer);
    }
    for (const transfer of shown) {
      const row = rows.get(transfer) ?? createRow(transfer, queue);
      rows.set(transfer, row);
      row.update();
    }
    place(
      list,
      [...shown].map((transfer) => rows.get(transfer)?.node).filter((node) => node !== undefined),
    );
    rest.textContent = `and ${formatCount(transfers.length - shown.length, "file")} more`;
    rest.hidden = transfers.length <= shown.length;
    total.update();
    clearTimeout(lookingAgain);
    if (transfers.some((each) => MOVING.has(each.status().state))) lookingAgain = setTimeout(changed, LOOK_AGAIN_MS);
  };
  return { node, changed };
}

function createRow(transfer: Transfer, queue: TransferQueue): Row {
  const { direction } = transfer;
  const name = visibleName(transfer.name);
  let meter = createSpeedMeter();
  const still = createStillness();
  const progress = element("progress", { max: "1", "aria-label": `${direction} of ${name}` });
  const detail = element("p", { class: "detail" });
  const error = element("p", { class: "trouble", hidden: true });
  const pause = button("Pause", () => transfer.pause(), { label: `Pause ${name}` });
  const resume = button("Resume", () => queue.resume(transfer), { label: `Resume ${name}` });
  const cancel = button("Cancel", () => attempt(`cancel ${name}`, () => transfer.cancel()), {
    label: `Cancel ${name}`,
    kind: "quiet",
  });
  const title = element(
    "p",
    { class: "name", title: visibleName(transfer.key) },
    icon(direction === "upload" ? "up" : "down"),
    nameText(name),
  );
  const buttons = element("div", { class: "row-buttons" }, pause, resume, cancel);
  const node = element("li", {}, element("div", { class: "head" }, title, buttons), progress, detail, error);
  return {
    node,
    update() {
      const status = transfer.status();
      if (node.dataset.state !== status.state && TOLD.has(status.state)) announce(`${name}: ${status.state}`);
      node.dataset.state = status.state;
      // Bytes from before a pause say nothing about the speed after it.
      if (status.state !== "moving") meter = createSpeedMeter();
      meter.add(status.movedBytes, performance.now());
      progress.value = fractionOf(status);
      detail.textContent = detailOf(status, meter);
      const ended = status.state === "done" || status.state === "canceled";
      pause.hidden = !isPausable(transfer);
      resume.hidden = !isResumable(transfer);
      resume.textContent = status.state === "failed" ? "Try again" : "Resume";
      cancel.hidden = ended;
      const stillMs = still.lookAt(status, performance.now());
      error.hidden = status.state !== "failed" && stillMs < STALLED_MS;
      const silence = `The store has not answered for ${formatSeconds(stillMs / 1000)}. This goes on when it does.`;
      if (!error.hidden) error.replaceChildren(...(status.state === "failed" ? troubleOf(status.error) : [silence]));
    },
  };
}

/** For how long no byte of a running transfer has moved, in ms. */
function createStillness(): { lookAt(status: TransferStatus, nowMs: number): number } {
  let [seen, sinceMs] = ["", 0];
  return {
    lookAt({ state, presentBytes, movedBytes }, nowMs) {
      const now = `${state} ${presentBytes} ${movedBytes}`;
      if (now !== seen || !MOVING.has(state)) [seen, sinceMs] = [now, nowMs];
      return nowMs - sinceMs;
    },
  };
}

/** Screen readers are told only how transfers end; all the numbers would be too much. */
const TOLD: ReadonlySet<TransferState> = new Set(["done", "failed"]);

function fractionOf({ state, totalBytes, presentBytes, movedBytes }: TransferStatus): number {
  if (state === "done" || totalBytes === 0) return state === "done" ? 1 : 0;
  return Math.min(1, (presentBytes + movedBytes) / totalBytes);
}

function detailOf(status: TransferStatus, meter: SpeedMeter): string {
  const { state, totalBytes, presentBytes, movedBytes } = status;
  const all = formatBytes(totalBytes);
  const there = presentBytes === 0 ? "" : `, ${formatBytes(presentBytes)} of it were there already`;
  switch (state) {
    case "waiting":
      return `${all} · waiting`;
    case "checking":
      return `${all} · looking what is there already`;
    case "moving":
      return `${formatBytes(presentBytes + movedBytes)} of ${all}${there}${paceOf(meter, totalBytes - presentBytes - movedBytes)}`;
    case "finishing":
      return `${all} · finishing`;
    case "paused":
      return `${formatBytes(presentBytes + movedBytes)} of ${all} · paused`;
    case "done":
      return `${all} · done${there}`;
    case "failed":
      return `${formatBytes(presentBytes + movedBytes)} of ${all} · stopped`;
    case "canceled":
      return `${all} · canceled`;
  }
}

/** ` · 12 MiB/s · 5 s left`, as far as it is known. */
function paceOf(meter: SpeedMeter, bytesLeft: number): string {
  const speed = meter.bytesPerSecond();
  if (speed === undefined || speed <= 0) return "";
  return ` · ${formatBytes(speed)}/s · ${formatSeconds(bytesLeft / speed)} left`;
}

function troubleOf(error: unknown): readonly (Node | string)[] {
  const { code, what, whatToDo } = explainError(error);
  return [whatToDo, " ", element("small", {}, code === undefined ? what : element("code", {}, code))];
}

function createTotal(queue: TransferQueue): { readonly node: HTMLElement; update(): void } {
  let meter = createSpeedMeter();
  const progress = element("progress", { max: "1", "aria-label": "All transfers" });
  const text = element("p", { class: "detail", id: "total" });
  const pause = button("Pause all", () => queue.pauseAll());
  const resume = button("Resume all", () => queue.resumeAll());
  const clear = button("Clear ended", () => queue.clearEnded(), { kind: "quiet" });
  const buttons = element("div", { class: "row-buttons" }, pause, resume, clear);
  const head = element("div", { class: "head" }, element("h3", {}, "Transfers"), buttons);
  const node = element("div", { class: "total", hidden: true }, head, progress, text);
  return {
    node,
    update() {
      const all = queue.transfers();
      const counted = all.map((each) => each.status()).filter(({ state }) => state !== "canceled");
      const totalBytes = sum(counted.map((status) => status.totalBytes));
      const doneBytes = sum(counted.map((status) => fractionOf(status) * status.totalBytes));
      const active = counted.filter(({ state }) => ["checking", "moving", "finishing"].includes(state));
      if (active.length === 0) meter = createSpeedMeter();
      meter.add(sum(counted.map((status) => status.movedBytes)), performance.now());
      progress.value = totalBytes === 0 ? 0 : doneBytes / totalBytes;
      const ended = counted.filter(({ state }) => state === "done").length;
      const going = counted.filter(({ state }) => state === "waiting").concat(active);
      const bytesLeft = sum(going.map((status) => (1 - fractionOf(status)) * status.totalBytes));
      const pace = active.length === 0 ? "" : paceOf(meter, bytesLeft);
      text.textContent = `${ended} of ${formatCount(counted.length, "file")}, ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}${pace}`;
      node.hidden = all.length === 0;
      progress.hidden = counted.length === 0;
      text.hidden = counted.length === 0;
      pause.hidden = !all.some(isPausable);
      resume.hidden = !all.some(isResumable);
      clear.hidden = !all.some((each) => ["done", "canceled"].includes(each.status().state));
    },
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
