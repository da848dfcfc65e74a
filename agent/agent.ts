import type { ControlAgent } from '../protocol/rest/control.ts';
import type { Feature, Info } from '../protocol/rest/info.ts';
import { openAdminServer } from './http/admin-server.ts';
import { openControlSocket } from './http/control-socket.ts';
import type { ControlSocket } from './http/control-socket.ts';
import { LastingListener } from './http/lasting-listener.ts';
import type { Listener } from './http/listener.ts';
import { openOpsServer } from './http/ops-server.ts';
import { openOtlpServer } from './http/otlp-server.ts';
import type { OtlpServer } from './http/otlp-server.ts';
import { JwtAccess } from './http/jwt.ts';
import { Tokens } from './http/tokens.ts';
import { describeOptions, type ResolvedOptions } from './options.ts';
import { createAudit, type Audit } from './telemetry/audit.ts';
import { createMetrics } from './telemetry/metrics.ts';
import { observeJwt } from './telemetry/jwt-metrics.ts';
import { version } from './version.ts';
import { jwtOptions, optionFailures } from './part-options.ts';
import { StoredProfiles } from './capture/stored-profiles.ts';
import { connectParts } from './connect-parts.ts';
import { openParts, type PartSurroundings } from './parts.ts';

export interface Agent {
  /** Everything that can be on or off, in its present state. */
  features(): readonly Feature[];
  readonly admin: Listener | undefined;
  readonly ops: Listener | undefined;
  /** At IPv4 where there are two. */
  readonly otlp: Listener | undefined;
  /** When `--ttl` is over; undefined without one. The caller ends the agent then. */
  readonly endsAt: Date | undefined;
  /** A volume does not answer, and `process.exit` would wait for it. */
  readonly hangs: boolean;
  /** The generated token, once; undefined when tokens are configured. */
  takeToken(): string | undefined;
  /** Saves what runs, leaves every target clean, closes. Captures that need longer than `graceMs`, or than `signal` lets them, are given up. */
  close(options: { graceMs: number; signal?: AbortSignal }): Promise<void>;
}

export interface AgentSurroundings extends PartSurroundings {
  /** Default: JSON lines on stderr. */
  readonly audit?: Audit;
}

/**
 * The agent: its parts, what opens them to others, and their end. Never rejects for a taken port, an unusable directory or file: that
 * feature is `failed` then, with the reason and what to set, and the rest runs. The caller decides whether that is good enough: with `strict` it
 * is not, and what fails before anything listens keeps it from listening, and from touching a target.
 */
export async function startAgent(resolved: ResolvedOptions, surroundings: AgentSurroundings): Promise<Agent> {
  const { options } = resolved;
  const { log, environment, audit = createAudit() } = surroundings;
  const startedAt = new Date();
  const endsAt = options.ttlMs === 0 ? undefined : new Date(startedAt.getTime() + options.ttlMs);
  const failures: Feature[] = optionFailures(resolved);
  await using opening = new AsyncDisposableStack();
  const metrics = createMetrics({ version, nodeVersion: process.version, pod: environment });
  const tokens = await Tokens.open({ file: options.tokenFile, log });
  const jwt = opening.use(await JwtAccess.open({ ...jwtOptions(options), log }));
  const listeners: { admin?: LastingListener; ops?: LastingListener; otlp?: OtlpServer; control?: ControlSocket } = {};
  const spanObstacle = (): string | undefined => {
    const { state, reason } = listeners.otlp?.feature() ?? notYet('otlp');
    return state === 'on' ? undefined : `no spans can come: ${reason}`;
  };
  const parts = await openParts(resolved, { ...surroundings, spanObstacle }, opening);
  const { storage, targets, targetMetrics, requests } = parts;
  const features = (): Feature[] => [
    ...failures,
    storage.feature,
    tokens.feature(),
    jwt.feature(),
    listeners.admin?.feature() ?? notYet('admin'),
    options.opsAddress === 'off' ? opsOff : (listeners.ops?.feature() ?? notYet('ops')),
    listeners.control?.feature ?? notYet('control-socket'),
    listeners.otlp?.feature() ?? notYet('otlp'),
    ...parts.features(),
  ];
  connectParts(parts, { metrics, features, log }, opening);
  observeJwt(metrics, jwt);

  const info = (): Omit<Info, 'you'> => {
    const { rss, heapUsed } = process.memoryUsage();
    return {
      name: 'sidescope',
      version,
      nodeVersion: process.version,
      pid: process.pid,
      startedAt: startedAt.toISOString(),
      uptimeMs: Date.now() - startedAt.getTime(),
      endsAt: endsAt?.toISOString() ?? null,
      memory: { rssBytes: rss, heapUsedBytes: heapUsed },
      listeners: {
        admin: listeners.admin?.listener?.url ?? null,
        ops: listeners.ops?.listener?.url ?? null,
        control: listeners.control?.path ?? null,
      },
      options: describeOptions(resolved),
      features: features(),
      storage: storage.store?.usage() ?? null,
      environment: { ...environment },
    };
  };
  const adminServices = {
    ...parts,
    deaths: parts.memory.deaths,
    limits: parts.memory.limits,
    store: storage.store,
    storedProfiles: new StoredProfiles({ ...parts, store: storage.store }),
    tokens,
    jwt,
    info,
    pageDirectory,
    log,
    audit,
    metrics,
    allowedHosts: options.allowedHosts,
  };
  /** Such an agent ends at once: the application is not to send it a span, nor a target to be touched. */
  const isGivenUp = (): boolean => options.strict && features().some(({ state }) => state === 'failed');
  const { opsAddress } = options;
  if (!isGivenUp()) {
    const listen = () => openAdminServer(adminServices, options.adminAddress);
    listeners.admin = opening.use(await LastingListener.open('admin', { log, listen }));
  }
  if (opsAddress !== 'off' && (!isGivenUp() || listeners.admin !== undefined)) {
    const listen = () => openOpsServer({ targets, features, metrics, targetMetrics, log }, opsAddress);
    listeners.ops = opening.use(await LastingListener.open('ops', { log, listen }));
  }
  if (!isGivenUp()) {
    const otlp = { address: options.otlpAddress, isChosen: resolved.sources['otlp-address'] !== 'default' };
    listeners.otlp = opening.use(await openOtlpServer({ requests, metrics, log }, otlp));
    const control = { tokens, audit, log, describe: () => describeForCommands(info(), listeners.admin?.listener) };
    listeners.control = opening.use(await openControlSocket(control, { directory: storage.store?.usage().directory }));
  }
  if (!isGivenUp()) {
    targets.start();
    targetMetrics.start();
  }
  const lifetime = opening.move();
  let closing: Promise<void> | undefined;
  return {
    features,
    endsAt,
    get admin() {
      return listeners.admin?.listener;
    },
    get ops() {
      return listeners.ops?.listener;
    },
    get otlp() {
      return listeners.otlp?.listeners[0];
    },
    get hangs() {
      return parts.egress.hangs || parts.regressions.hangs;
    },
    takeToken: () => tokens.takeGenerated(),
    close: (grace) =>
      (closing ??= (async () => {
        await parts.captures.close(grace);
        // The application in the same pod sends its last spans meanwhile; only then no more are taken.
        await listeners.otlp?.close();
        const flush = { ...grace, graceMs: Math.min(grace.graceMs, flushGraceMs) };
        const ship = async (): Promise<void> => {
          // Its last windows are to be sent as well.
          await parts.recorder[Symbol.asyncDispose]();
          await parts.egress.close(flush);
        };
        await Promise.all([requests.close(flush), parts.alerts.close(flush), parts.ownSpans.close(flush), ship()]);
        await lifetime.disposeAsync();
      })()),
  };
}

/** For what waits for the OTLP upstream, Sentry, the webhook and the collector, at the end. */
const flushGraceMs = 5_000;

function describeForCommands(info: Omit<Info, 'you'>, admin: Listener | undefined): ControlAgent {
  const { pid, startedAt, storage } = info;
  const page = admin === undefined ? null : { url: admin.url, port: admin.port };
  return { pid, version, startedAt, dataDirectory: storage?.directory ?? null, admin: page };
}

/** Asked within the milliseconds of the start, by whom an earlier listener serves already. */
function notYet(name: string): Feature {
  return { name, state: 'off', reason: 'the agent is starting', remedy: null };
}

const opsOff: Feature = {
  name: 'ops',
  state: 'off',
  reason: '--ops-address is off',
  remedy: 'Set --ops-address, such as 0.0.0.0:7778.',
};

/** Beside the bundle, or where the build puts it when the agent runs from its sources. */
const pageDirectory = new URL(import.meta.url.endsWith('.ts') ? '../dist/page/' : '../page/', import.meta.url).pathname;
