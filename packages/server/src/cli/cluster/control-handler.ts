import process from "node:process";
import { shares } from "@ashlar/sdk/ring";
import type { ClusterFolder } from "./cluster-folder.ts";
import { statusOf } from "./cluster-status.ts";
import type { ControlHandler } from "./control-channel.ts";
import type { Supervisor } from "./supervisor.ts";

/** What {@link createControlHandler} takes. */
export interface ControlHandlerOptions {
  readonly folder: ClusterFolder;
  readonly supervisor: Supervisor;
  /** Begins the end. */
  readonly down: () => void;
  /** Settles when everything was stopped. */
  readonly stopped: Promise<void>;
}

/** The answer to `kill` and `start`. */
export interface ProcessAnswer {
  readonly name: string;
  /** Of what was started; of what was killed, absent if it had just ended by itself. */
  readonly pid?: number | undefined;
}

/** The answer to `down`: everything was stopped, and this process ends next. */
export interface DownAnswer {
  readonly supervisorPid: number;
}

/** The answer to `add`: the node, and what each server holds from now on. */
export interface AddAnswer {
  readonly name: string;
  readonly address: string;
  readonly layoutVersion: number;
  readonly shares: ReadonlyArray<{ readonly serverId: string; readonly totalShare: number }>;
}

/** Does what the other `cluster` commands ask for. */
export function createControlHandler({ folder, supervisor, down, stopped }: ControlHandlerOptions): ControlHandler {
  return async (request) => {
    switch (request.command) {
      case "status":
        return statusOf(folder, supervisor, process.pid);
      case "kill": {
        const target = supervisor.process(request.name);
        const pid = target.kill(request.keepDown ? Number.POSITIVE_INFINITY : request.downMs);
        await target.until(() => pid === undefined || target.pid !== pid);
        return { name: request.name, pid } satisfies ProcessAnswer;
      }
      case "start": {
        const pid = await supervisor.startProcess(request.name);
        return { name: request.name, pid } satisfies ProcessAnswer;
      }
      case "add": {
        const node = await supervisor.addNode();
        const [layout] = (await supervisor.snapshot()).layouts;
        const view = layout === undefined ? [] : shares(layout);
        return { ...node, layoutVersion: layout?.layoutVersion ?? 0, shares: view } satisfies AddAnswer;
      }
      case "down":
        down();
        await stopped;
        return { supervisorPid: process.pid } satisfies DownAnswer;
    }
  };
}
