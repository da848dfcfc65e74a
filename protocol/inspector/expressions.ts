declare const expressionBrand: unique symbol;
/** Only the constants of this file have this type, so no other text can be evaluated in a target. */
export type ExpressionText = string & { readonly [expressionBrand]: true };

/**
 * The expressions that Sidescope evaluates in a target: byte-constant (text that varies leaks about 1 kB per evaluation
 * there), answers bounded, `require` from the command-line API where `process.getBuiltinModule` is missing (before 20.16;
 * `requireMissing` tells the session so), nothing left behind. The sourceURL lets our own frames be dropped from CPU profiles.
 */
function expression(name: string, body: string): ExpressionText {
  return `${body}\n//# sourceURL=sidescope:${name}` as ExpressionText;
}

declare const functionBrand: unique symbol;
/** Likewise what is called on an object of ours in the target. */
export type FunctionText = string & { readonly [functionBrand]: true };

/** V8 puts the text in parentheses, so the comment needs a line of its own. Measured without arguments: leaks nothing. */
function calledOnProbe(name: string): FunctionText {
  return `function () { return this.${name}(); }\n//# sourceURL=sidescope:${name}\n` as FunctionText;
}

export const ownFramePrefix = 'sidescope:';

/** What an expression that needs `require` answers where it is missing. A value: an exception would run the application's Error hook. */
export const requireMissing = 'sidescope:require-missing';

const findBuiltin = `const builtin = process.getBuiltinModule ? (name) => process.getBuiltinModule(name) : typeof require === 'function' ? require : null;`;
const builtin = `${findBuiltin}
  if (builtin === null) return '${requireMissing}';`;

/**
 * Loads every module that the others take from `builtin`, under `loadTimeoutMs`. An evaluation that ends in the middle of loading leaves the module empty for
 * the application too, for good: with the ordinary timeout used up beforehand, `os`, `v8`, `zlib`, `crypto` had 0 exports afterwards in 1 of 2 tries (20-26).
 */
export const loadModulesExpression = expression(
  'load-modules',
  `(() => {
  ${findBuiltin}
  for (const name of ['module', 'os', 'v8', 'perf_hooks', 'timers', 'inspector', 'util', 'vm']) builtin?.(name);
})()`,
);

/** No code of the application runs while Node's own modules are loaded (3-10 ms), so only a machine that stands still needs this long. */
export const loadTimeoutMs = 60_000;

/** Whether it takes modules from `builtin`, which are to be loaded before. */
export function needsModules(text: ExpressionText): boolean {
  return text !== loadModulesExpression && text.includes("builtin('");
}

/** Who the process is. The list of loaded modules is searched here and never sent. */
export const identityExpression = expression(
  'identity',
  `(() => {
  ${builtin}
  const text = (value, most) => typeof value === 'string' ? value.slice(0, most) : null;
  const agents = [];
  const known = /[\\\\/]node_modules[\\\\/](dd-trace|@datadog[\\\\/]pprof|newrelic|elastic-apm-node|@sentry[\\\\/](?:node|profiling-node)|@pyroscope[\\\\/]nodejs|@google-cloud[\\\\/]profiler|appdynamics|@dynatrace[\\\\/]oneagent|@instana[\\\\/]core|@opentelemetry[\\\\/](?:api|sdk-node)|prom-client|pm2|@nodesource[\\\\/]nsolid|@appsignal[\\\\/]nodejs)[\\\\/]/;
  let seen = 0;
  for (const path in builtin('module')._cache) {
    if (++seen > 20000) break;
    const match = known.exec(path);
    const name = match && match[1].replace(/\\\\/g, '/');
    if (name && !agents.includes(name)) agents.push(name);
  }
  if (!agents.includes('@opentelemetry/api') && globalThis[Symbol.for('opentelemetry.js.api.1')]) agents.push('@opentelemetry/api');
  return {
    pid: process.pid,
    ppid: process.ppid,
    timeOriginMs: performance.timeOrigin,
    nodeVersion: text(process.version, 100),
    v8Version: text(process.versions.v8, 100),
    arch: text(process.arch, 40),
    platform: text(process.platform, 40),
    hostname: text(builtin('os').hostname(), 255),
    title: text(process.title, 200),
    mainScript: text(process.argv[1], 1000),
    execArgv: text(process.execArgv.join(' '), 1000),
    appName: text(process.env.npm_package_name, 200),
    appVersion: text(process.env.npm_package_version, 100),
    agents,
  };
})()`,
);

/** Joins the profile's clock (CLOCK_MONOTONIC) with wall time. */
export const clockExpression = expression(
  'clock',
  `[process.hrtime(), Date.now(), performance.timeOrigin, performance.now()]`,
);

/** For the cost of a capture. Needs no module, so it is safe also when it lands in a target's exit. */
export const usageExpression = expression(
  'usage',
  `(() => {
  const { rss, heapUsed } = process.memoryUsage();
  const coverage = Boolean(process.env.NODE_V8_COVERAGE) || process.execArgv.includes('--experimental-test-coverage');
  return [rss, process.resourceUsage().maxRSS * 1024, heapUsed, coverage];
})()`,
);

/** What the snapshot forecast needs, for the isolate that it is evaluated in. */
export const memoryExpression = expression(
  'memory',
  `(() => {
  ${builtin}
  const v8 = builtin('v8');
  const os = builtin('os');
  const memory = process.memoryUsage();
  const constrained = process.constrainedMemory ? process.constrainedMemory() : null;
  return {
    rssBytes: memory.rss,
    heapUsedBytes: memory.heapUsed,
    externalBytes: memory.external,
    heapLimitBytes: v8.getHeapStatistics().heap_size_limit,
    spaces: v8.getHeapSpaceStatistics().slice(0, 32).map((space) => [String(space.space_name).slice(0, 60), space.space_used_size]),
    constrainedBytes: typeof constrained === 'number' ? constrained : null,
    hostTotalBytes: os.totalmem(),
    hostFreeBytes: process.availableMemory ? process.availableMemory() : os.freemem(),
  };
})()`,
);

/**
 * What this thread executes now: `[[function, url, line, column, line and column where the function begins], ...]` below our own frames, and
 * the active OpenTelemetry span. The
 * application's own `Error.prepareStackTrace` must not run (52 ms, frames lost), nor Node's source maps (111-125 ms): ours stands in
 * for both during the evaluation, and Error is then as it was. V8 reads the limit from the intrinsic Error, Node the hook from
 * `globalThis.Error`. Where that is frozen: `util.getCallSites` (>= 22.9), else the Error of a realm made for it (1 ms more).
 */
export const stackExpression = expression(
  'stack',
  `(() => {
  ${findBuiltin}
  const most = 64;
  const text = (value, longest) => typeof value === 'string' ? value.slice(0, longest) : '';
  const count = (value) => Number.isSafeInteger(value) && value > 0 ? value : 0;
  const intrinsic = Object.getPrototypeOf(TypeError);
  const replace = (object, key, value) => {
    const before = Reflect.getOwnPropertyDescriptor(object, key);
    const isData = before !== undefined && 'value' in before;
    if (!Reflect.defineProperty(object, key, isData ? { value } : { value, writable: true, configurable: true })) return undefined;
    return () => before ? Reflect.defineProperty(object, key, before) : Reflect.deleteProperty(object, key);
  };
  const read = (sites) => sites.map((site) => [site.getFunctionName(), site.getScriptNameOrSourceURL(), site.getLineNumber(), site.getColumnNumber(), site.getEnclosingLineNumber?.(), site.getEnclosingColumnNumber?.()]);
  const collect = () => {
    const undo = [];
    try {
      const limit = replace(intrinsic, 'stackTraceLimit', most + 8);
      if (limit) undo.push(limit);
      const hook = replace(globalThis.Error, 'prepareStackTrace', (_, sites) => sites);
      if (hook) {
        undo.push(hook);
        const holder = {};
        intrinsic.captureStackTrace(holder);
        return read(holder.stack);
      }
      if (builtin === null) return '${requireMissing}';
      const { getCallSites } = builtin('util');
      // It gives script names only, and ours has none: this function, the one around it, the top level.
      if (getCallSites) return getCallSites(most + 8, { sourceMap: false }).slice(3).map((site) => [site.functionName, site.scriptName, site.lineNumber, site.columnNumber ?? site.column]);
      const Foreign = builtin('vm').runInNewContext('Error');
      Foreign.stackTraceLimit = most + 8;
      Foreign.prepareStackTrace = (_, sites) => sites;
      return read(new Foreign().stack);
    } finally {
      for (const each of undo) each();
    }
  };
  let span = null;
  try {
    const active = globalThis[Symbol.for('opentelemetry.js.api.1')]?.context?.active().getValue(Symbol.for('OpenTelemetry Context Key SPAN'));
    const context = active?.spanContext();
    if (context) span = [text(context.traceId, 64), text(context.spanId, 64), text(active.name, 200), (context.traceFlags & 1) === 1, text(active.attributes?.['http.route'], 200)];
  } catch {}
  let stack = null;
  try { stack = collect(); } catch {}
  if (stack === '${requireMissing}') return stack;
  const frames = stack && stack.filter((frame) => !String(frame[1]).startsWith('${ownFramePrefix}'));
  return {
    frames: frames && frames.slice(0, most).map(([name, url, ...places]) => [text(name, 200), text(url, 1000), ...[0, 1, 2, 3].map((at) => count(places[at]))]),
    hasMore: frames !== null && frames.length > most,
    span,
  };
})()`,
);

/**
 * Which OpenTelemetry span is active in what was interrupted: `[seconds, nanoseconds, wall ms, what, µs]` on the clocks of profiles and spans. `what` is the span, or
 * 'no-api', 'none' (JavaScript ran outside of any span), 'idle' (nothing ran), 'unknown' (the target's Error lets nobody look). The stack is looked at only where
 * there is no span, three frames deep: two of them are ours. Needs no module. Measured on 18, 24, 26: 45-65 us with a span, 110-155 without.
 */
export const spanExpression = expression(
  'span',
  `(() => {
  const [seconds, nanoseconds] = process.hrtime();
  const wallMs = Date.now();
  const text = (value, longest) => typeof value === 'string' ? value.slice(0, longest) : '';
  const intrinsic = Object.getPrototypeOf(TypeError);
  const replace = (object, key, value) => {
    const before = Reflect.getOwnPropertyDescriptor(object, key);
    const isData = before !== undefined && 'value' in before;
    if (!Reflect.defineProperty(object, key, isData ? { value } : { value, writable: true, configurable: true })) return undefined;
    return () => before ? Reflect.defineProperty(object, key, before) : Reflect.deleteProperty(object, key);
  };
  const look = () => {
    const undo = [];
    try {
      const limit = replace(intrinsic, 'stackTraceLimit', 3);
      if (!limit) return 'unknown';
      undo.push(limit);
      const hook = replace(globalThis.Error, 'prepareStackTrace', (_, sites) => sites);
      if (!hook) return 'unknown';
      undo.push(hook);
      const holder = {};
      intrinsic.captureStackTrace(holder, look);
      return holder.stack.length > 2 ? 'none' : 'idle';
    } finally {
      for (const each of undo) each();
    }
  };
  let what = 'unknown';
  try {
    const api = globalThis[Symbol.for('opentelemetry.js.api.1')];
    const active = api?.context?.active().getValue(Symbol.for('OpenTelemetry Context Key SPAN'));
    const context = active?.spanContext();
    if (context) what = [text(context.traceId, 64), text(context.spanId, 64), text(active.name, 200), text(active.attributes?.['http.route'], 200)];
    else what = api?.context ? look() : 'no-api';
  } catch {}
  const [untilSeconds, untilNanoseconds] = process.hrtime();
  return [seconds, nanoseconds, wallMs, what, (untilSeconds - seconds) * 1e6 + (untilNanoseconds - nanoseconds) / 1e3];
})()`,
);

/** Answered when the event loop turns, so the delay of the answer is the loop's. Evaluate with `awaitPromise`. 0-5 ms where it is not blocked. */
export const heartbeatExpression = expression('heartbeat', `new Promise((resolve) => setImmediate(resolve, 1))`);

/**
 * Closes an inspector that we opened. Blocks the thread until every client is gone: the socket is closed right behind it (18-26: 2-100 ms, also inside a loop, a
 * regular expression and Atomics.wait, where no timer would run). A signal that found the loop blocked opens the inspector once more in the first poll phase after
 * that: this one is closed in the same turn. The tick comes before that phase, and tells one that somebody else has opened meanwhile, which stays.
 */
export const closeInspectorExpression = expression(
  'close-inspector',
  `(() => {
  ${builtin}
  const inspector = builtin('inspector');
  const { setImmediate } = builtin('timers');
  const check = (turns) => setImmediate(() => {
    if (inspector.url() !== undefined) inspector.close();
    else if (turns > 1) check(turns - 1);
  });
  process.nextTick(() => inspector.url() === undefined && check(2));
  inspector.close();
})()`,
);

/** Of the histogram of event-loop delay. 20 ms costs an idle target 0.24 % of a core. */
export const delayResolutionMs = 40;

/**
 * How the process is, for the thread that it is evaluated in. Needs no module. What the application may have patched is called here,
 * under the evaluation's timeout, and each part fails alone: `problems` then has its reason.
 */
export const vitalsExpression = expression(
  'vitals',
  `(() => {
  const problems = [];
  const part = (name, read) => {
    try { return read(); } catch (error) {
      let reason = '';
      try { reason = String(error).slice(0, 100); } catch {}
      problems.push([name, reason]);
      return null;
    }
  };
  const number = (value) => typeof value === 'number' ? value : null;
  const text = (value, longest) => typeof value === 'string' ? value.slice(0, longest) : '';
  return {
    memory: part('memoryUsage', () => {
      const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage();
      return [number(rss), number(heapTotal), number(heapUsed), number(external), number(arrayBuffers)];
    }),
    cpu: part('cpuUsage', () => {
      const { user, system } = process.cpuUsage();
      return [number(user), number(system)];
    }),
    threadCpu: part('threadCpuUsage', () => {
      if (!process.threadCpuUsage) return null;
      const { user, system } = process.threadCpuUsage();
      return number(user + system);
    }),
    loop: part('eventLoopUtilization', () => {
      const { idle, active } = performance.eventLoopUtilization();
      return [number(idle), number(active)];
    }),
    turns: part('uvMetricsInfo', () => number(performance.nodeTiming.uvMetricsInfo?.loopCount)),
    constrainedBytes: part('constrainedMemory', () => process.constrainedMemory ? number(process.constrainedMemory()) : null),
    uptimeSeconds: part('uptime', () => number(process.uptime())),
    resources: part('getActiveResourcesInfo', () => {
      const counts = Object.create(null);
      let kinds = 0;
      for (const each of process.getActiveResourcesInfo()) {
        const name = text(each, 40);
        if (name in counts) counts[name] += 1;
        else if (++kinds <= 32) counts[name] = 1;
      }
      return Object.entries(counts);
    }),
    measures: part('measures', () => {
      const all = performance.getEntriesByType('measure');
      const last = all.slice(-64);
      const first = all[0];
      return {
        total: number(all.length),
        firstMs: first === undefined ? null : number(first.startTime),
        nowMs: number(performance.now()),
        last: last.map(({ name, startTime, duration }) => [text(name, 80), number(startTime), number(duration)]),
      };
    }),
    problems,
  };
})()`,
);

const heartbeatState = `let turns = 0;
  let isWaiting = false;
  const turned = () => {
    isWaiting = false;
    turns += 1;
  };`;
/** In both probes; `setImmediate` and `utilization` are what was taken when the probe was made. */
const tickMethod = `tick: () => {
      if (!isWaiting) {
        isWaiting = true;
        setImmediate(turned);
      }
      const { idle, active } = utilization();
      return [turns, idle, active];
    }`;

/**
 * A GCProfiler that was stopped, and that minor collections have made old before, goes on recording until a collection of the whole heap takes it: 4.0, 4.4, 5.2,
 * 6.4 and 5.7 kB per collection on Node 18, 20, 22, 24 and 26. 40 of them cost a program with 10 minor collections a second 2 MB a second. Those that are left
 * may write so many records a second; else the probe waits for such a collection before it makes another one.
 */
const leftRecordsPerSecond = 12;

/**
 * Makes the object that is asked through `probeFunctions`, and that lives in the target only as long as we hold it: event-loop delay, GC, heap spaces, and
 * the heartbeat. Its functions are taken now and tried once, under the evaluation's timeout: a later patch of the application cannot make them hang.
 */
export const probeExpression = expression(
  'probe',
  `(() => {
  ${builtin}
  const { getHeapStatistics, getHeapSpaceStatistics, GCProfiler } = builtin('v8');
  const { loadavg } = builtin('os');
  const { setImmediate } = builtin('timers');
  const { monitorEventLoopDelay, performance } = builtin('perf_hooks');
  const utilization = performance.eventLoopUtilization.bind(performance);
  const delay = monitorEventLoopDelay({ resolution: ${delayResolutionMs} });
  delay.enable();
  let collector = null;
  let rest = 0;
  let collectors = 0;
  let collectorStartMs = 0;
  let canary = new WeakRef({});
  const startCollector = () => {
    if (!GCProfiler) return;
    collectors += 1;
    collectorStartMs = performance.now();
    collector = new GCProfiler();
    collector.start();
  };
  const gc = () => {
    // Only a collection of the whole heap clears it, and takes earlier collectors.
    const isCollected = canary.deref() === undefined;
    if (isCollected) {
      collectors = 0;
      canary = new WeakRef({});
    }
    if (collector === null) {
      if (isCollected && rest === 0) {
        startCollector();
        return GCProfiler ? [['MarkSweepCompact', 1, 0]] : null;
      }
      if (rest > 0 && --rest === 0) startCollector();
      return null;
    }
    const { statistics } = collector.stop();
    collector = null;
    const kinds = Object.create(null);
    for (const { gcType, cost } of statistics) {
      const kind = kinds[gcType] ??= [0, 0];
      kind[0] += 1;
      kind[1] += cost;
    }
    // Each collection is 4 kB here and 10 us in the reading.
    const perSecond = (statistics.length * 1000) / Math.max(1, performance.now() - collectorStartMs);
    if (statistics.length > 1000) rest = 3;
    else if (collectors * perSecond <= ${leftRecordsPerSecond}) startCollector();
    return Object.entries(kinds).map(([name, [count, us]]) => [name, count, us]);
  };
  ${heartbeatState}
  const probe = {
    ${tickMethod},
    gc,
    read: () => {
      const heap = getHeapStatistics();
      const answer = {
        heapLimitBytes: heap.heap_size_limit,
        spaces: getHeapSpaceStatistics().slice(0, 32).map((space) => [space.space_name, space.space_used_size, space.space_size]),
        load: loadavg(),
        delayNs: [delay.count ?? null, delay.mean, delay.percentile(99), delay.max],
        gc: gc(),
      };
      delay.reset();
      return answer;
    },
    stop: () => {
      delay.disable();
      if (collector !== null) collector.stop();
      collector = null;
      rest = 0;
    },
  };
  startCollector();
  probe.tick();
  probe.read();
  return probe;
})()`,
);

/** The heartbeat alone, for a worker: no module and no timer of its own, so that it costs nothing between two questions. */
export const workerProbeExpression = expression(
  'worker-probe',
  `(() => {
  const { setImmediate } = globalThis;
  const utilization = performance.eventLoopUtilization.bind(performance);
  ${heartbeatState}
  const probe = {
    ${tickMethod},
  };
  probe.tick();
  return probe;
})()`,
);

/** Each is called on the probe alone, without arguments: the protocol has no timeout for it. */
export const probeFunctions = {
  tick: calledOnProbe('tick'),
  gc: calledOnProbe('gc'),
  read: calledOnProbe('read'),
  stop: calledOnProbe('stop'),
} as const;

/**
 * Remembers the exception that ends the process, so that it can be asked for in the exit. `uncaughtExceptionMonitor` changes nothing about what happens then;
 * an exception that the application survives is forgotten in the same turn. The listener goes with the object, at the next collection after our session.
 */
export const exitWatchExpression = expression(
  'exit-watch',
  `(() => {
  const { setImmediate } = globalThis;
  let last = null;
  const forget = () => { last = null; };
  const listener = (error, origin) => {
    last = [error, origin];
    setImmediate(forget).unref();
  };
  const text = (value, longest) => typeof value === 'string' ? value.slice(0, longest) : '';
  const read = () => {
    if (last === null) return null;
    const [error, origin] = last;
    if (typeof error !== 'object' || error === null) return [text(origin, 40), typeof error, String(error).slice(0, 200), ''];
    const stack = text(error.stack, 8000);
    return [text(origin, 40), text(error.name, 100) || 'object', stack === '' ? '' : text(error.message, 1000), stack];
  };
  const watch = {
    ending: () => [process.exitCode ?? null, process._exiting === true, read()],
    stop: () => { process.off('uncaughtExceptionMonitor', listener); },
  };
  const registry = new FinalizationRegistry((stop) => stop());
  registry.register(watch, watch.stop);
  listener.registry = registry;
  process.on('uncaughtExceptionMonitor', listener);
  return watch;
})()`,
);

/** Without a timeout like those of the probe. `ending` reads what Node itself has read and printed before the exit. */
export const exitWatchFunctions = {
  ending: calledOnProbe('ending'),
  stop: probeFunctions.stop,
} as const;

/**
 * The code that the process ends with, whether it called `process.exit`, and no exception: where there is no watch. Fails in a natural exit, where nothing can be
 * evaluated any more (18-26).
 */
export const exitExpression = expression('exit', `[process.exitCode ?? null, process._exiting === true, null]`);

/**
 * Holds V8's profiler warm while the flight recorder changes from one window to the next: creating it anew is what stalls a target (37-1,048 ms). The command-line
 * API's functions are taken once, and known by their native text: an application may have globals of these names, which hide them. Called on the object they need
 * that API no more, which an exiting target of 18 or 20 dies of. Sessions whose profiler is enabled hear of this window too (DevTools shows it in its list).
 */
export const warmProfilerExpression = expression(
  'warm-profiler',
  `(() => {
  if (typeof profile === 'undefined' && typeof profileEnd === 'undefined') return '${requireMissing}';
  const isOurs = (value, name) => typeof value === 'function' && Function.prototype.toString.call(value) === 'function ' + name + '() { [native code] }';
  if (!isOurs(profile, 'profile') || !isOurs(profileEnd, 'profileEnd')) throw new Error('it has a global named profile or profileEnd');
  const [begin, end] = [profile, profileEnd];
  return { hold: () => { begin('sidescope'); }, release: () => { end('sidescope'); } };
})()`,
);

export const warmProfilerFunctions = {
  hold: calledOnProbe('hold'),
  release: calledOnProbe('release'),
} as const;

/** What `--max-old-space-size` was set to, in MiB, else null. Node's own environment variable comes before its command line, and the last one holds. */
export const oldSpaceExpression = expression(
  'old-space',
  `(() => {
  const flags = (String(process.env.NODE_OPTIONS ?? '').slice(0, 10000) + ' ' + process.execArgv.join(' ').slice(0, 10000));
  const found = [...flags.matchAll(/--max[-_]old[-_]space[-_]size[= ]["']?([0-9]{1,9})/g)].pop();
  return found ? Number(found[1]) : null;
})()`,
);

/** Name to text: for the test that compares a recorded run with the closed list. */
export const expressions: Readonly<Record<string, ExpressionText>> = {
  'load-modules': loadModulesExpression,
  identity: identityExpression,
  clock: clockExpression,
  usage: usageExpression,
  memory: memoryExpression,
  stack: stackExpression,
  span: spanExpression,
  vitals: vitalsExpression,
  probe: probeExpression,
  'worker-probe': workerProbeExpression,
  heartbeat: heartbeatExpression,
  'close-inspector': closeInspectorExpression,
  'exit-watch': exitWatchExpression,
  exit: exitExpression,
  'old-space': oldSpaceExpression,
  'warm-profiler': warmProfilerExpression,
};

/** Longest time one evaluation may take inside the target. Measured: V8 ends it after 201-205 ms, also inside a spin. */
export const evaluateTimeoutMs = 200;
