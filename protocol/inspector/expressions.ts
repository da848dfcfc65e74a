declare const expressionBrand: unique symbol;
/** Only the constants of this file have this type, so no other text can be evaluated in a target. */
export type ExpressionText = string & { readonly [expressionBrand]: true };

/**
 * The expressions that Sidescope evaluates in a target: byte-constant (text that varies leaks about 1 kB per evaluation
 * there), answers bounded, `require` from the command-line API where `process.getBuiltinModule` is missing (before 20.16),
 * nothing left behind. The sourceURL lets our own frames be dropped from CPU profiles.
 */
function expression(name: string, body: string): ExpressionText {
  return `${body}\n//# sourceURL=sidescope:${name}` as ExpressionText;
}

export const ownFramePrefix = 'sidescope:';

const builtin = `const builtin = (name) => process.getBuiltinModule ? process.getBuiltinModule(name) : require(name);`;

/** Who the process is. The list of loaded modules is searched here and never sent. */
export const identityExpression = expression(
  'identity',
  `(() => {
  ${builtin}
  const text = (value, most) => typeof value === 'string' ? value.slice(0, most) : null;
  const agents = [];
  const known = /[\\\\/]node_modules[\\\\/](dd-trace|@datadog[\\\\/]pprof|newrelic|elastic-apm-node|@sentry[\\\\/](?:node|profiling-node)|@pyroscope[\\\\/]nodejs|@google-cloud[\\\\/]profiler|appdynamics|@dynatrace[\\\\/]oneagent|@instana[\\\\/]core|@opentelemetry[\\\\/](?:api|sdk-node)|prom-client|pm2|@nodesource[\\\\/]nsolid|@appsignal[\\\\/]nodejs)[\\\\/]/;
  let seen = 0;
  for (const path in typeof require === 'function' && require.cache || {}) {
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
    maxRssBytes: process.resourceUsage().maxRSS * 1024,
  };
})()`,
);

/** Name to text: for the test that compares a recorded run with the closed list. */
export const expressions: Readonly<Record<string, ExpressionText>> = {
  identity: identityExpression,
  clock: clockExpression,
  memory: memoryExpression,
};

/** Longest time one evaluation may take inside the target. Measured: V8 ends it after 201-205 ms, also inside a spin. */
export const evaluateTimeoutMs = 200;
