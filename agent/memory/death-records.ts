import { EventEmitter } from 'node:events';
import { SidescopeError } from '../../protocol/error.ts';
import type { Death, DeathList } from '../../protocol/rest/deaths.ts';
import type { Stacks } from '../../protocol/rest/stacks.ts';
import type { Stall } from '../../protocol/rest/stalls.ts';
import type { Target, TargetIdentity } from '../../protocol/rest/target.ts';
import type { Vitals } from '../../protocol/rest/vitals.ts';
import type { AlertDesk } from '../alerts/condition.ts';
import type { Attachment } from '../attach/attachment.ts';
import { RecordTable, type RecordIndex, type RecordQuery } from '../store/record-table.ts';
import { deathCondition } from './death-alert.ts';
import { composeDeath, lostDeath, type DeathSources, type SeenRun } from './death-record.ts';
import type { GrowthReading } from '../../protocol/rest/leaks.ts';
import { ExitWatch, type ExitEvidence } from './exit-watch.ts';

/** With 60 points and a stall one is about 60 kB. */
const recordBytes = 60_000;
const maxDeaths = 200;
const maxInstances = 64;
/** So long a target that /proc does not show is waited for: only its connection may have been cut. */
const defaultUnsureMs = 30_000;

interface Source<Name extends string, Values extends unknown[]> {
  on(event: Name, listener: (...values: Values) => void): unknown;
  off(event: Name, listener: (...values: Values) => void): unknown;
}

export interface DeathRecordsOptions {
  readonly targets: Source<'attached', [Target]> &
    Source<'detached', [Target, SidescopeError]> & {
      list(): readonly Target[];
      watcher(id: string): { readonly attachment: Attachment };
    };
  readonly monitor: Source<'vitals', [Vitals]> & Source<'stall', [Stall]>;
  readonly sources: DeathSources;
  readonly alerts: AlertDesk | undefined;
  readonly index: RecordIndex;
  /** Of the data directory: the records take a twentieth of it at most. */
  readonly budgetBytes: number;
  readonly unsureMs?: number;
  readonly log: Record<'info' | 'warn' | 'error', (facts: object, message: string) => void>;
}

/** The run of a target that was attached last, also over restarts of the agent. */
interface Instance {
  /** The target's: there is one of each. */
  readonly id: string;
  readonly targetId: string;
  readonly targetName: string;
  readonly identity: TargetIdentity;
  readonly seenAt: string;
  /** Its end is on record. */
  readonly isOver: boolean;
}

type Run = { -readonly [Key in keyof Omit<SeenRun, 'stacks'>]: SeenRun[Key] } & { readonly watch: ExitWatch };

interface Unsure {
  readonly run: Run;
  readonly timer: NodeJS.Timeout;
  /** Writes the record. */
  decide(): void;
}

/**
 * A record for every end of a target process. None for our own leaving, and none where the process lives on: an inspector that was closed, a connection that
 * was cut.
 */
export class DeathRecords extends EventEmitter<{ death: [Death] }> implements AsyncDisposable {
  readonly #options: DeathRecordsOptions;
  readonly #table: RecordTable<Death>;
  readonly #instances: RecordTable<Instance>;
  readonly #runs = new Map<string, Run>();
  /** The last death of a target, until the run after it is there. */
  readonly #last = new Map<string, Death>();
  readonly #unsure = new Map<string, Unsure>();
  readonly #ending = new Set<Promise<void>>();
  readonly #stacks = new Map<string, Stacks>();
  readonly #resources = new DisposableStack();

  constructor(options: DeathRecordsOptions) {
    super();
    this.#options = options;
    const { targets, monitor, index, budgetBytes } = options;
    const maxRecords = Math.max(10, Math.min(maxDeaths, Math.floor(budgetBytes / 20 / recordBytes)));
    this.#table = new RecordTable({ index, kind: 'death', maxRecords, atMs: ({ at }) => Date.parse(at) });
    this.#instances = new RecordTable({
      index,
      kind: 'instance',
      maxRecords: maxInstances,
      atMs: ({ seenAt }) => Date.parse(seenAt),
    });
    const onAttached = (target: Target): void => this.#begin(target);
    const onDetached = ({ id }: Target): void => this.#end(id);
    const onVitals = (vitals: Vitals): void => this.#onVitals(vitals);
    const onStall = (stall: Stall): void => this.#onStall(stall);
    targets.on('attached', onAttached);
    targets.on('detached', onDetached);
    monitor.on('vitals', onVitals);
    monitor.on('stall', onStall);
    for (const target of targets.list()) if (target.state.state === 'attached') this.#begin(target);
    this.#resources.defer(() => {
      targets.off('attached', onAttached);
      targets.off('detached', onDetached);
      monitor.off('vitals', onVitals);
      monitor.off('stall', onStall);
    });
  }

  /** Newest first. Throws `invalid-request` for a cursor that is none, `storage-failed`. */
  list(query: RecordQuery): DeathList {
    const { records, nextCursor } = this.#table.list({ ...query, limit: query.limit ?? 10 });
    return { deaths: records, nextCursor };
  }

  /** What somebody asked for: a death within ten minutes has it in its record. */
  noteStacks(stacks: Stacks): void {
    this.#stacks.set(stacks.targetId, stacks);
  }

  /** To be disposed before the targets: it leaves nothing of its own in them. Ends that are being looked into are written first. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#resources.dispose();
    // Undecided: the next start sees the same run, or another one.
    for (const { timer } of this.#unsure.values()) clearTimeout(timer);
    this.#unsure.clear();
    const runs = [...this.#runs.values()];
    this.#runs.clear();
    await Promise.all(runs.map(({ watch }) => watch[Symbol.asyncDispose]()));
    await Promise.all(this.#ending);
  }

  #begin(target: Target): void {
    const { id: targetId, name: targetName, identity } = target;
    if (identity === null) return;
    this.#settleEarlier(targetId, identity);
    const { attachment } = this.#options.targets.watcher(targetId);
    const watch = new ExitWatch({ attachment, identity });
    this.#runs.set(targetId, {
      targetId,
      targetName,
      identity,
      watch,
      last: undefined,
      before: undefined,
      stall: undefined,
    });
    this.#saveInstance({ targetId, targetName, identity, isOver: false });
  }

  /** Who was here before, and whether that one is on record. */
  #settleEarlier(targetId: string, identity: TargetIdentity): void {
    const unsure = this.#unsure.get(targetId);
    if (unsure !== undefined) {
      clearTimeout(unsure.timer);
      this.#unsure.delete(targetId);
      if (unsure.run.identity.instanceId !== identity.instanceId) unsure.decide();
    } else {
      this.#recordLost(targetId, identity);
    }
    const last = this.#last.get(targetId);
    this.#last.delete(targetId);
    if (last === undefined || last.instanceId === identity.instanceId) return;
    const { instanceId, startedAt } = identity;
    this.#save({ ...last, next: { instanceId, startedAt } });
    const episode = { problem: 'target-death', targetId, key: last.cause } as const;
    this.#options.alerts?.settle(episode, `it runs again since ${startedAt}`);
  }

  #recordLost(targetId: string, { instanceId, hostname, startedAt }: TargetIdentity): void {
    const earlier = this.#read(() => this.#instances.list({ targetId, limit: 1 }).records[0]);
    if (earlier === undefined || earlier.isOver || earlier.identity.instanceId === instanceId) return;
    // A directory that came along from another pod: nobody died there that we would know of.
    if (earlier.identity.hostname !== hostname || this.#last.has(targetId)) return;
    const { seenAt } = earlier;
    this.#tell(lostDeath(earlier, { seenAt, next: { instanceId, startedAt }, sources: this.#options.sources }));
  }

  #onVitals(vitals: Vitals): void {
    const run = this.#runs.get(vitals.targetId);
    if (run === undefined) return;
    // What told nothing is no last word about memory; without any other it is better than none.
    if (vitals.memory.heapUsedBytes === null && run.last !== undefined) return;
    run.before = run.last;
    run.last = vitals;
  }

  #onStall(stall: Stall): void {
    const run = this.#runs.get(stall.targetId);
    if (run !== undefined && stall.thread === 'main') run.stall = stall;
  }

  #end(targetId: string): void {
    const run = this.#runs.get(targetId);
    if (run === undefined) return;
    this.#runs.delete(targetId);
    const ending = this.#conclude(run, Date.now()).catch((error: unknown) => {
      this.#options.log.error({ err: error, target: targetId }, 'the end of a target could not be looked into');
    });
    this.#ending.add(ending);
    void ending.finally(() => this.#ending.delete(ending));
  }

  async #conclude(run: Run, endedAtMs: number): Promise<void> {
    const { targetId } = run;
    // The last reading may have the kill in it: its cgroup is read a moment after the answer that was the target's last.
    const exit = await run.watch.evidence({ oomKills: run.before?.cgroup?.oomKills ?? null });
    const isGone = exit.sign.kind !== 'cut' || exit.end.state === 'gone';
    const sampling = await this.#options.sources.sampling(targetId);
    const record = (): void => this.#record(run, { exit, endedAtMs, sampling });
    if (isGone) {
      record();
    } else if (exit.end.state === 'alive') {
      this.#options.log.info({ target: targetId }, 'the connection was cut, and the process lives on: no death');
    } else {
      this.#waitForSign(run, record);
    }
  }

  /** Who attaches next tells: the same run, or another one. */
  #waitForSign(run: Run, decide: () => void): void {
    const { targetId } = run;
    const next = this.#runs.get(targetId);
    if (next !== undefined) {
      if (next.identity.instanceId !== run.identity.instanceId) decide();
      return;
    }
    const timer = setTimeout(() => {
      this.#unsure.delete(targetId);
      decide();
    }, this.#options.unsureMs ?? defaultUnsureMs).unref();
    this.#unsure.set(targetId, { run, timer, decide });
  }

  #record(run: Run, seen: { exit: ExitEvidence; endedAtMs: number; sampling: GrowthReading | undefined }): void {
    const { targetId, targetName, identity } = run;
    const { sources } = this.#options;
    const stacks = this.#stacks.get(targetId);
    this.#stacks.delete(targetId);
    const death = composeDeath({ ...run, stacks }, { ...seen, sources });
    this.#tell(death);
    const next = this.#runs.get(targetId)?.identity;
    // It was back before its end was understood.
    if (next !== undefined) this.#save({ ...death, next: { instanceId: next.instanceId, startedAt: next.startedAt } });
    else {
      this.#last.set(targetId, death);
      this.#saveInstance({ targetId, targetName, identity, isOver: true });
    }
  }

  #tell(death: Death): void {
    this.#save(death);
    const { targetId: target, id, cause, confidence, exitCode, signal, summary } = death;
    const condition = deathCondition(death);
    const level = condition === undefined || condition.severity === 'info' ? 'info' : 'warn';
    this.#options.log[level]({ target, death: id, cause, confidence, exitCode, signal }, `a target ended: ${summary}`);
    if (condition !== undefined) this.#options.alerts?.raise(condition);
  }

  #save(death: Death): void {
    this.#write('a death record', () => this.#table.save(death));
    this.emit('death', death);
  }

  #saveInstance(instance: Omit<Instance, 'id' | 'seenAt'>): void {
    const seenAt = new Date().toISOString();
    this.#write('the identity of a target', () => this.#instances.save({ ...instance, id: instance.targetId, seenAt }));
  }

  /** A full disk must not end the watch. */
  #write(what: string, write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!(error instanceof SidescopeError)) throw error;
      this.#options.log.error({ code: error.code }, `${what} could not be written: ${error.message}`);
    }
  }

  #read<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof SidescopeError)) throw error;
      this.#options.log.error({ code: error.code }, `earlier runs could not be read: ${error.message}`);
      return undefined;
    }
  }
}
