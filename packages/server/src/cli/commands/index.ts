import type { Command } from "../command.ts";
import { backupListCommand, backupPruneCommand, backupRunCommand, backupVerifyCommand } from "./backup.ts";
import { mbCommand, rbCommand } from "./buckets.ts";
import {
  clusterAddCommand,
  clusterDownCommand,
  clusterKillCommand,
  clusterStartCommand,
  clusterStatusCommand,
  clusterUpCommand,
} from "./cluster.ts";
import { collectCommand } from "./collect.ts";
import { cpCommand } from "./cp.ts";
import { duCommand } from "./du.ts";
import { fsckCommand } from "./fsck.ts";
import { getCommand } from "./get.ts";
import { headCommand } from "./head.ts";
import { healthCommand } from "./health.ts";
import { keyCreateCommand, keyLsCommand, keyRmCommand } from "./keys.ts";
import { layoutChangeCommand, layoutDrainCommand, layoutShowCommand } from "./layout.ts";
import { layoutForgetCommand } from "./layout-forget.ts";
import { lsCommand } from "./ls.ts";
import { mvCommand } from "./mv.ts";
import { putCommand } from "./put.ts";
import { restoreCommand } from "./restore.ts";
import { ringCommand } from "./ring.ts";
import { rmCommand } from "./rm.ts";
import { scrubCommand } from "./scrub.ts";
import { gatewayCommand, nodeCommand, serveCommand } from "./servers.ts";
import { tokenCreateCommand, tokenRevokeCommand } from "./tokens.ts";
import { uploadsAbortCommand, uploadsLsCommand } from "./uploads.ts";

/** Every command of the program, in the order of its help. */
export const COMMANDS: readonly Command[] = Object.freeze([
  serveCommand,
  nodeCommand,
  gatewayCommand,
  clusterUpCommand,
  clusterStatusCommand,
  clusterKillCommand,
  clusterStartCommand,
  clusterAddCommand,
  clusterDownCommand,
  keyCreateCommand,
  keyLsCommand,
  keyRmCommand,
  tokenCreateCommand,
  tokenRevokeCommand,
  putCommand,
  getCommand,
  lsCommand,
  headCommand,
  duCommand,
  cpCommand,
  mvCommand,
  rmCommand,
  mbCommand,
  rbCommand,
  uploadsLsCommand,
  uploadsAbortCommand,
  backupRunCommand,
  backupListCommand,
  backupVerifyCommand,
  backupPruneCommand,
  restoreCommand,
  ringCommand,
  layoutChangeCommand,
  layoutDrainCommand,
  layoutForgetCommand,
  layoutShowCommand,
  healthCommand,
  collectCommand,
  fsckCommand,
  scrubCommand,
]);
