import { EventEmitter } from 'node:events';
import { stat } from 'node:fs/promises';
import { isSidescopeError } from '../../protocol/error.ts';
import type { EgressView } from '../../protocol/rest/egress.ts';
import type { Feature } from '../../protocol/rest/info.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { Targets } from '../attach/targets.ts';
import type { FlightRecorder } from '../capture/recorder.ts';
import { readSmallFile } from '../options/config-file.ts';
import { workloadOf, type ServiceIdentity } from '../service-identity.ts';
import { sourceMapContext } from '../source-maps/context.ts';
import type { PathMapping } from '../source-maps/target-files.ts';
import { OutboxTable, type OutboxSums } from '../store/outbox-table.ts';
import type { ProfileStore } from '../store/store.ts';
import type { Destination } from './destination.ts';
import type { DestinationConfig } from './egress-schema.ts';
import { deliveryOf, describeDestination } from './egress-view.ts';
import type { DestinationSurroundings } from './open-destination.ts';
import { openParcel, type ParcelKind, type ParcelSources } from './parcel.ts';
import { Turns } from '../turns.ts';
import { Sender, type SenderLog, type SenderOptions, type SenderStats, type Shipment } from './sender.ts';

/** A sender's spans come up to 8 s after a profile's end, the labels of a rule at once. */
const settleMs = 10_000;
const deliveriesShown = 500;

export interface EgressOptions extends DestinationSurroundings, Pick<SenderOptions, 'pauses' | 'random'> {
  /** `--egress-url`. */
  readonly urls: readonly string[];
  /** `--config`, whose list `egress` has more of them. */
  readonly configPath: string | undefined;
  /** Without one there is nothing to send, and no queue. */
  readonly store: ProfileStore | undefined;
  readonly diskBudgetBytes: number;
  readonly recorder: Pick<FlightRecorder, 'window' | 'on' | 'off'>;
  readonly worker: ParcelSources['worker'];
  readonly joins: ParcelSources['joins'];
  readonly redactions: ParcelSources['redactions'];
  readonly identities: Pick<ServiceIdentity, 'identityOf'>;
  readonly targets: Pick<Targets, 'view' | 'watcher'>;
  readonly sourceMapPaths: readonly PathMapping[];
  readonly log: SenderLog;
  readonly settleMs?: number | undefined;
}

export interface EgressSums extends SenderStats {
  readonly name: string;
  readonly queue: OutboxSums;
}

interface Lane {
  readonly config: DestinationConfig;
  readonly destination: Destination;
  readonly sender: Sender;
  readonly kinds: readonly ParcelKind[];
  readonly queueBytesMax: number;
}

/** Profiles and windows of the recorder on their way to where the configuration says. Captures only leave a row in a table; everything else happens later, and elsewhere. */
export class Egress extends EventEmitter<{ sent: [Shipment] }> {
  readonly #options: EgressOptions;
  readonly #lanes: Lane[] = [];
  readonly #problems: string[] = [];
  readonly #outbox: OutboxTable | undefined;
  readonly #resources = new DisposableStack();
  /** libuv has four threads for files: one may be held by the volume of `--state-url`, and one is left for everything else, however many do not answer. */
  readonly #volumes = new Turns({ concurrency: 2, waitingMax: 8 });

  /** Never rejects: what is wrong is in `feature()`. */
  static async open(options: EgressOptions): Promise<Egress> {
    const egress = new Egress(options);
    await egress.#open();
    return egress;
  }

  private constructor(options: EgressOptions) {
    super();
    this.#options = options;
    this.#outbox = options.store === undefined ? undefined : new OutboxTable(options.store);
  }

  feature(): Feature {
    const name = 'egress';
    const remedy = 'Set --egress-url, or list destinations under egress: in the file of --config.';
    if (this.#problems.length > 0) {
      const reason = this.#problems.slice(0, 5).join('; ').slice(0, 1_000);
      return { name, state: 'failed', reason, remedy: 'Correct the destinations and restart; the others are used.' };
    }
    if (this.#lanes.length === 0) return { name, state: 'off', reason: 'no destination is configured', remedy };
    const failing = this.#lanes.flatMap(({ config, sender }) => {
      const { lastError } = sender.stats();
      return lastError === null ? [] : [`${config.name}: ${lastError.message}`];
    });
    const reason = failing.length === 0 ? null : `the last attempt failed, and is repeated: ${failing.join('; ')}`;
    return { name, state: 'on', reason: reason?.slice(0, 1_000) ?? null, remedy: null };
  }

  /** A volume does not answer: the process cannot end by itself. */
  get hangs(): boolean {
    return this.#lanes.some(({ destination }) => destination.hangs === true);
  }

  /** Throws `storage-failed`. */
  view(): EgressView {
    return {
      destinations: this.#lanes.map((lane) =>
        describeDestination({ ...lane, ...lane.sender.stats(), sums: this.#sumsOf(lane.config.name) }),
      ),
      problems: [...this.#problems],
      deliveries: this.#lanes.length === 0 ? [] : (this.#outbox?.ofProfiles(deliveriesShown) ?? []).map(deliveryOf),
    };
  }

  /** For metrics. Throws `storage-failed`, `shutting-down`. */
  sums(): EgressSums[] {
    return this.#lanes.map(({ config: { name }, sender }) => ({ name, ...sender.stats(), queue: this.#sumsOf(name) }));
  }

  /** Tries what is queued once more. What cannot be sent by then waits for the next agent on this data directory. */
  async close({ graceMs, signal }: { graceMs: number; signal?: AbortSignal }): Promise<void> {
    this.#resources.dispose();
    const limit = AbortSignal.timeout(graceMs);
    const until = signal === undefined ? limit : AbortSignal.any([signal, limit]);
    await Promise.all(this.#lanes.map(({ sender }) => sender.close(until)));
  }

  async #open(): Promise<void> {
    const { store, recorder, log } = this.#options;
    const configs = await this.#readConfigs();
    const outbox = this.#outbox;
    if (configs.length > 0 && outbox === undefined) this.#problems.push('there is no storage to queue profiles in');
    for (const problem of this.#problems) log.error({}, `egress: ${problem}`);
    if (store === undefined || outbox === undefined) return;
    for (const config of configs) await this.#openLane(config, { store, outbox });
    const left = outbox.removeOrphans(this.#lanes.map(({ config }) => config.name));
    if (left > 0) log.warn({ profiles: left }, 'profiles that were queued are gone, or their destination is');
    if (this.#lanes.length === 0) return;
    const onProfile = (profile: Profile): void => this.#onProfile(profile);
    const onDeleted = (id: string): void => this.#onDeleted(outbox, id);
    const onWindow = (window: { id: number; targetId: string; storedBytes: number }): void => this.#onWindow(window);
    store.on('profile', onProfile);
    store.on('deleted', onDeleted);
    recorder.on('window', onWindow);
    this.#resources.defer(() => {
      store.off('profile', onProfile);
      store.off('deleted', onDeleted);
      recorder.off('window', onWindow);
    });
    for (const { sender } of this.#lanes) sender.start();
  }

  async #readConfigs(): Promise<DestinationConfig[]> {
    const { urls, configPath } = this.#options;
    const configs: DestinationConfig[] = [];
    if (configPath === undefined && urls.length === 0) return configs;
    // Shapes and clients take some memory, which who sends nothing should not have to give.
    const { parseEgressUrl, readEgress } = await import('./read-egress.ts');
    if (configPath !== undefined) {
      const { destinations, problems } = await readEgress(await this.#textOf(configPath));
      configs.push(...destinations);
      this.#problems.push(...problems.map(({ line, message }) => `${configPath} line ${line}: ${message}`));
    }
    for (const url of urls) {
      const config = parseEgressUrl(url);
      if ('problem' in config) this.#problems.push(`--egress-url ${config.problem}`);
      else if (configs.some(({ name }) => name === config.name))
        this.#problems.push(`--egress-url: there is a destination named ${config.name} already; list both in the file`);
      else configs.push(config);
    }
    return configs;
  }

  async #textOf(path: string): Promise<string> {
    try {
      // A pipe gives its text once, to the options; a second reader waits for ever.
      if ((await stat(path)).isFile()) return await readSmallFile(path);
      this.#options.log.info({ path }, 'destinations are not read from what is no regular file');
    } catch (error) {
      // The options and the rules have said so.
      if (!(error instanceof Error)) throw error;
    }
    return '';
  }

  async #openLane(
    config: DestinationConfig,
    { store, outbox }: { store: ProfileStore; outbox: OutboxTable },
  ): Promise<void> {
    const { diskBudgetBytes, log, pauses, random, ...rest } = this.#options;
    try {
      const { openDestination } = await import('./open-destination.ts');
      const destination = await openDestination(config, { ...rest, volumes: this.#volumes });
      const sources: ParcelSources = {
        ...rest,
        store,
        sourceMapsOf: (targetId) => this.#sourceMapsOf(targetId),
      };
      // A quarter for all, so that captures keep the most of it.
      const queueBytesMax = config.queue ?? Math.floor(diskBudgetBytes / 4);
      const sender = new Sender({
        name: config.name,
        destination,
        outbox,
        queueBytesMax,
        open: (row) => openParcel(row, sources),
        settleMs: this.#options.settleMs ?? settleMs,
        onSent: (shipment) => void this.emit('sent', shipment),
        log,
        pauses,
        random,
      });
      const kinds = config.filters?.kinds ?? destination.takes;
      this.#lanes.push({ config, destination, sender, kinds, queueBytesMax });
    } catch (error) {
      if (!isSidescopeError(error)) throw error;
      log.error({ destination: config.name }, `egress: ${error.message}`);
      this.#problems.push(`${config.name}: ${error.message}`);
    }
  }

  /** Also when labels change: a profile that is to go where its new label says goes then. */
  #onProfile(profile: Profile): void {
    for (const { config, kinds, sender } of this.#lanes) {
      const { triggers, labels = {} } = config.filters ?? {};
      const isWanted =
        kinds.includes(profile.kind) &&
        (triggers === undefined || triggers.includes(profile.trigger.kind)) &&
        Object.entries(labels).every(([name, value]) => profile.labels[name] === value);
      if (!isWanted) continue;
      const facts = this.#serviceOf(profile.targetId, profile.environment);
      sender.accept({ kind: 'profile', item: profile.id, bytes: profile.storedBytes, facts });
    }
  }

  #onWindow({ id, targetId, storedBytes }: { id: number; targetId: string; storedBytes: number }): void {
    for (const { kinds, sender } of this.#lanes) {
      if (!kinds.includes('recorder')) continue;
      const facts = this.#serviceOf(targetId, this.#options.environment);
      sender.accept({ kind: 'window', item: String(id), bytes: storedBytes, facts });
    }
  }

  #onDeleted(outbox: OutboxTable, id: string): void {
    try {
      for (const row of outbox.ofItem('profile', id))
        this.#lanes.find(({ config }) => config.name === row.destination)?.sender.noteGone(row);
      outbox.forget('profile', id);
    } catch (error) {
      // The sender finds out that it is gone.
      if (!isSidescopeError(error)) throw error;
    }
  }

  #serviceOf(targetId: string, environment: Readonly<Record<string, string>>): Record<string, string> {
    const { identities, targets } = this.#options;
    const { pod } = environment;
    // StatefulSets number their pods; DaemonSets and Jobs put five letters behind.
    const workload = pod === undefined ? undefined : (workloadOf(pod)?.name ?? pod.replace(/-(\d+|[a-z0-9]{5})$/, ''));
    const known = { ...(workload !== undefined && { workload }) };
    try {
      const { name, version } = identities.identityOf(targets.view(targetId));
      return { ...known, service: name, ...(version !== null && { version }) };
    } catch (error) {
      if (!isSidescopeError(error)) throw error;
      return known;
    }
  }

  #sourceMapsOf(targetId: string) {
    const { targets, sourceMapPaths } = this.#options;
    try {
      return sourceMapContext(targets.watcher(targetId), sourceMapPaths);
    } catch (error) {
      // A target of an earlier run.
      if (isSidescopeError(error, 'unknown-target')) return undefined;
      throw error;
    }
  }

  #sumsOf(name: string): OutboxSums {
    return this.#outbox?.sums(name) ?? { items: 0, bytes: 0, oldestMs: null };
  }
}
