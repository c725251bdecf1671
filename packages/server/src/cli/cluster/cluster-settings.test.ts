import { MIB } from "@ashlar/sdk/limits";
import { expect, test } from "vitest";
import { SETTINGS, type Setting, type SettingName } from "../config.ts";
import { GATEWAY_SETTINGS, NODE_SETTINGS } from "../servers/server-settings.ts";
import { resolveSettings } from "../settings.ts";
import { flagsOf } from "./cluster-servers.ts";
import { PASSED_SETTINGS, REFUSED_SETTINGS, UP_SETTINGS } from "./cluster-settings.ts";

/** What `cluster up` has a meaning of its own for, or gives each server itself. */
const OWN: readonly SettingName[] = ["databaseUrl", "json", "debug"];
/** Those of client commands, which are set for the commands that talk to the cluster; and a flag without a variable. */
const OTHER: readonly SettingName[] = ["path", "nodeGateway", "insecure"];

test("every setting of a gateway or a node is passed on, refused, or cluster up's own: none is ignored", () => {
  const passed: readonly SettingName[] = [...PASSED_SETTINGS.all, ...PASSED_SETTINGS.gateway, ...PASSED_SETTINGS.node];
  const refused = Object.keys(REFUSED_SETTINGS) as SettingName[];
  const known = [...passed, ...refused, ...OWN, ...OTHER];
  expect(new Set(known).size).toBe(known.length);
  for (const name of new Set<SettingName>([...GATEWAY_SETTINGS, ...NODE_SETTINGS])) expect(known, name).toContain(name);
  for (const name of refused) {
    expect((SETTINGS[name] as Setting).env, name).toBeDefined();
    expect(UP_SETTINGS as readonly string[]).not.toContain(name);
  }
  const taken: readonly SettingName[][] = [[...GATEWAY_SETTINGS], [...NODE_SETTINGS]];
  for (const name of PASSED_SETTINGS.all) for (const names of taken) expect(names).toContain(name);
  for (const name of PASSED_SETTINGS.gateway) expect(GATEWAY_SETTINGS).toContain(name);
  for (const name of PASSED_SETTINGS.node) expect(NODE_SETTINGS).toContain(name);
});

test("settings of the environment reach the servers as flags", () => {
  const env = {
    ...{ COLLECT_INTERVAL_MS: "5m", RE_REPLICATE_AFTER_MS: "90s", REPAIR_BYTES_PER_SECOND: "1MiB" },
    ...{ REFUSE_LOST_DISK: "true", HEARTBEAT_INTERVAL_MS: "500", SCRUB_PERIOD_MS: "7d" },
    ...{ SCRUB_BYTES_PER_SECOND: "2MiB", CORS_ORIGINS: "https://a.example,https://b.example" },
  };
  const { values } = resolveSettings(UP_SETTINGS, {}, env);
  expect(flagsOf(values, PASSED_SETTINGS.gateway)).toEqual([
    ...["--collect-interval", "300000", "--re-replicate-after", "90000", "--repair-rate", "1048576"],
  ]);
  expect(flagsOf(values, PASSED_SETTINGS.node)).toEqual([
    ...["--heartbeat-interval", "500", "--refuse-lost-disk", "--scrub-period", "604800000", "--scrub-rate", "2097152"],
  ]);
  const all = flagsOf(values, PASSED_SETTINGS.all);
  expect(all).toContain("https://a.example,https://b.example");
  expect(all).not.toContain("--durability");
  const plain = resolveSettings(UP_SETTINGS, {}, {}).values;
  expect(flagsOf(plain, PASSED_SETTINGS.node)).toEqual([
    ...[
      "--heartbeat-interval",
      "10000",
      "--scrub-period",
      String(30 * 24 * 3_600_000),
      "--scrub-rate",
      String(32 * MIB),
    ],
  ]);
  expect(flagsOf(plain, PASSED_SETTINGS.all)).not.toContain("--cors-origins");
});
