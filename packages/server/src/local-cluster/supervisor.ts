import { existsSync } from "node:fs";
import type { LocalPostgres } from "@ashlar/adapters/local-postgres";
import { AshlarError } from "@ashlar/sdk/errors";
import {
  type Clock,
  type Logger,
  type MetadataStore,
  type NodeRegistry,
  silentLogger,
  systemRandom,
} from "@ashlar/sdk/ports";
import { writePrivateFile } from "../files/private-file.ts";
import { createApiKey } from "../gateway/index.ts";
import type { ClusterFolder } from "./cluster-folder.ts";
import { type ClusterPlan, type PlannedNode, planNode, writePlan } from "./cluster-plan.ts";
import { LOOPBACK } from "./ports.ts";
import { postgresSpec } from "./postgres-process.ts";
import { identityOf, type RecordedProcess, signalTo, writeProcesses } from "./process-record.ts";
import type { ProcessSpec, ProcessView } from "./process-spec.ts";
import { SupervisedProcess } from "./supervised-process.ts";

/** The program of a node or gateway: how it is started, and how it tells that it is ready. */
export type ServerProgram = Pick<ProcessSpec, "launch" | "look">;

/** A node or gateway that is about to be started. */
export interface PlannedServer extends PlannedNode {
  /** Base URL under which it will be reached; its port is on the loopback address. */
  readonly url: string;
  readonly databaseUrl: string;
}

/** The programs of storage nodes and gateways. The supervisor runs them and does not know their arguments. */
export interface ServerPrograms {
  node(server: PlannedServer): ServerProgram;
  gateway(server: PlannedServer): ServerProgram;
}

/** Opens the cluster's database; closing it leaves the database running. The first open makes the schema, with `replicationFactor` in its layout. */
export type OpenDatabase = (place: {
  readonly databaseUrl: string;
  readonly replicationFactor?: number | undefined;
  readonly logger?: Logger | undefined;
}) => Promise<AsyncDisposable & { readonly metadata: MetadataStore }>;

/** What {@link Supervisor} takes. */
export interface SupervisorOptions {
  readonly folder: ClusterFolder;
  readonly plan: ClusterPlan;
  /** Absent: the database is external. */
  readonly postgres: LocalPostgres | undefined;
  readonly databaseUrl: string;
  readonly replicationFactor: number;
  readonly programs: ServerPrograms;
  readonly openDatabase: OpenDatabase;
  readonly graceMs: number;
  readonly clock: Clock;
  readonly onChange: () => void;
}

/** Added to the time that the servers themselves give to running requests. */
const STOP_MARGIN_MS = 5000;
const READY_LIMIT_MS = 60_000;

/** The processes of a local cluster: started in order, kept running, stopped in order. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #postgres: SupervisedProcess | undefined;
  readonly #gateway: SupervisedProcess;
  readonly #nodes: SupervisedProcess[];
  #plan: ClusterPlan;
  /** The program that makes the database's data, while it runs. */
  #makingPid: number | undefined;
  #recorded = "";

  constructor(options: SupervisorOptions) {
    this.#options = options;
    const { folder, plan, postgres } = options;
    this.#plan = plan;
    const { database } = plan;
    this.#postgres =
      postgres === undefined || database.kind === "external"
        ? undefined
        : this.#supervise(postgresSpec(postgres, folder, database.port));
    this.#nodes = plan.nodes.map((node) => this.#supervise(this.#serverSpec("node", node)));
    this.#gateway = this.#supervise(this.#serverSpec("gateway", { name: "gateway", port: plan.gatewayPort }));
  }

  get url(): string {
    return this.#gateway.spec.address;
  }

  get isReady(): boolean {
    return this.#all().every((process) => process.isReady);
  }

  views(): readonly ProcessView[] {
    return this.#all().map((process) => process.view());
  }

  /**
   * Starts everything and waits until it is ready, however long that takes: what fails is started again.
   *
   * @throws {AshlarError} when the signal aborts; METADATA_UNAVAILABLE if an external database does not answer.
   */
  async start(signal: AbortSignal): Promise<void> {
    const { postgres } = this.#options;
    if (this.#postgres !== undefined) {
      await postgres?.prepare({
        onProcess: (pid) => {
          this.#makingPid = pid;
          this.#record();
        },
      });
      this.#postgres.start();
      await this.#postgres.until(() => this.#postgres?.isReady === true, signal);
    }
    await this.#prepareDatabase(signal);
    // The gateway comes last: if it knew only half of the nodes, it would give the first objects too few copies.
    for (const processes of [this.#nodes, [this.#gateway]]) {
      for (const process of processes) process.start();
      for (const process of processes) await process.until(() => process.isReady, signal);
    }
  }

  /** Adds a node and waits until it is ready. @throws {AshlarError} NODE_UNAVAILABLE if it does not come up in a minute. */
  async addNode(): Promise<{ readonly name: string; readonly address: string }> {
    const node = await planNode(this.#plan);
    this.#plan = { ...this.#plan, nodes: [...this.#plan.nodes, node] };
    writePlan(this.#options.folder, this.#plan);
    const process = this.#supervise(this.#serverSpec("node", node));
    this.#nodes.push(process);
    process.start();
    await this.#readyInTime(process, () => process.isReady);
    return { name: node.name, address: process.spec.address };
  }

  /**
   * Starts a process that is kept down or has not restarted yet, and waits until it is ready.
   *
   * @returns the id of the process.
   * @throws {AshlarError} NODE_UNAVAILABLE if it ends at once, or is not ready in a minute; it is tried again in both cases.
   */
  async startProcess(name: string): Promise<number | undefined> {
    const process = this.process(name);
    process.start();
    await this.#readyInTime(process, () => !["starting", "not ready"].includes(process.view().state));
    return process.pid;
  }

  /** @throws {AshlarError} INVALID_ARGUMENT for an unknown name. */
  process(name: string): SupervisedProcess {
    const found = this.#all().find((process) => process.spec.name === name);
    if (found !== undefined) return found;
    const names = this.#all().map((process) => process.spec.name);
    throw new AshlarError("INVALID_ARGUMENT", `no process is called "${name}"; there are ${names.join(", ")}`);
  }

  /** The cluster's nodes and layouts, from its database. */
  async snapshot(): ReturnType<NodeRegistry["clusterSnapshot"]> {
    const { openDatabase, databaseUrl } = this.#options;
    await using opened = await openDatabase({ databaseUrl });
    return await opened.metadata.clusterSnapshot();
  }

  /** Stops the gateway, then the nodes, then the database: no process loses what it still writes to. */
  async stop(): Promise<void> {
    const graceMs = this.#options.graceMs + STOP_MARGIN_MS;
    await this.#gateway.stop(graceMs);
    await Promise.all(this.#nodes.map((node) => node.stop(graceMs)));
    await this.#postgres?.stop(graceMs);
  }

  /** Ends everything at once. */
  end(): void {
    if (this.#makingPid !== undefined) signalTo(this.#makingPid, "SIGTERM");
    for (const process of this.#all()) process.end();
  }

  #all(): readonly SupervisedProcess[] {
    return [...(this.#postgres === undefined ? [] : [this.#postgres]), ...this.#nodes, this.#gateway];
  }

  async #readyInTime(process: SupervisedProcess, isOver: () => boolean): Promise<void> {
    let when = "";
    let cause: unknown;
    try {
      await process.until(isOver, AbortSignal.timeout(READY_LIMIT_MS));
    } catch (error) {
      when = " after a minute";
      cause = error;
    }
    if (process.isReady) return;
    const { state, reason = "see its log" } = process.view();
    throw new AshlarError("NODE_UNAVAILABLE", `${process.spec.name} is ${state}${when}: ${reason}`, { cause });
  }

  #serverSpec(kind: "node" | "gateway", { name, port }: PlannedNode): ProcessSpec {
    const { folder, databaseUrl, programs } = this.#options;
    const address = `http://${LOOPBACK}:${port}`;
    return {
      ...{ name, kind, address, log: folder.log(name), stopSignal: "SIGTERM", endSignal: "SIGKILL" },
      ...programs[kind]({ name, port, url: address, databaseUrl }),
    };
  }

  #supervise(spec: ProcessSpec): SupervisedProcess {
    const { clock, onChange } = this.#options;
    return new SupervisedProcess(spec, {
      clock,
      onChange: () => {
        this.#record();
        onChange();
      },
    });
  }

  /** Writes down the processes that run, for the next supervisor, if they changed. */
  #record(): void {
    const making = { pid: this.#makingPid, spec: { name: "initdb", stopSignal: "SIGTERM" as const } };
    const processes = [making, ...this.#all()].flatMap(({ pid, spec }): RecordedProcess[] =>
      pid === undefined ? [] : [{ name: spec.name, pid, identity: identityOf(pid), stopSignal: spec.stopSignal }],
    );
    const text = JSON.stringify(processes);
    if (text === this.#recorded) return;
    this.#recorded = text;
    writeProcesses(this.#options.folder, processes);
  }

  /** Makes the schema once, before all processes would try, and the first API key, which the gateway would otherwise print into a log. */
  async #prepareDatabase(signal: AbortSignal): Promise<void> {
    const { databaseUrl, folder, replicationFactor, openDatabase } = this.#options;
    await using opened = await openDatabase({ databaseUrl, replicationFactor, logger: silentLogger });
    signal.throwIfAborted();
    if (existsSync(folder.apiKey)) return;
    const { metadata } = opened;
    const { apiKey } = await createApiKey({ metadata, random: systemRandom, name: "cluster up", role: "admin" });
    writePrivateFile(folder.apiKey, `${apiKey}\n`);
  }
}
