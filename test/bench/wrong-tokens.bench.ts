// What does a flood of wrong credentials do to the agent, and to who has a right one meanwhile?
import { randomBytes } from 'node:crypto';
import { Agent as HttpAgent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { startAgentProcess } from '../support/agent-process.ts';
import type { AgentProcess } from '../support/agent-process.ts';
import { audience, Issuer, issuer, makeKey, sign, unsigned } from '../support/issuer.ts';
import type { SigningKey } from '../support/issuer.ts';
import { formatMiB, peakRssDuring, readProcess, spreadOf } from './support.ts';
import type { Bench } from './support.ts';

const connections = 64;

export const bench: Bench = async ({ quick, signal }) => {
  const count = quick ? 2_000 : 10_000;
  const [rs256, es256] = await Promise.all([makeKey('rs', 'RS256'), makeKey('es', 'ES256')]);
  await using provider = await Issuer.open([rs256.jwk, es256.jwk]);
  const jwtArgs = ['--jwks', provider.url.href, '--jwt-issuer', issuer, '--jwt-audience', audience];
  const rows: Record<string, string | number>[] = [];
  const claims = { iss: issuer, aud: audience, sub: 'eve', exp: Math.floor(Date.now() / 1000) + 3_600 };
  const forged = (key: SigningKey, bytes: number) => () =>
    unsigned({ alg: key.algorithm, kid: key.jwk.kid }, claims, randomBytes(bytes).toString('base64url'));
  const kinds: [string, readonly string[], () => string][] = [
    ['static tokens', [], () => `sst_${randomBytes(32).toString('base64url')}`],
    ['JWT, alg none', jwtArgs, () => unsigned({ alg: 'none' }, { ...claims, jti: Math.random() })],
    [
      'JWT, unknown key',
      jwtArgs,
      () => unsigned({ alg: 'RS256', kid: randomBytes(6).toString('hex') }, claims, 'AAAA'),
    ],
    ['JWT, wrong RS256', jwtArgs, forged(rs256, 256)],
    ['JWT, wrong ES256', jwtArgs, forged(es256, 64)],
  ];
  for (const [name, args, make] of kinds) {
    signal.throwIfAborted();
    await using agent = await startAgentProcess({ targets: ['127.0.0.1:1'], args });
    const right = args.length === 0 ? agent.token : await sign(es256);
    await status(agent, right, undefined);
    const tokens = Array.from({ length: count }, make);
    const before = await readProcess(agent.pid);
    // Resets what prom-client has of the event loop.
    await fetch(`${agent.opsUrl}/metrics`);
    const flood = await peakRssDuring(agent.pid, () =>
      floodWith({ agent, tokens, right, newJwt: args.length > 0 && es256 }),
    );
    const lag = await loopDelays(agent);
    const after = await readProcess(agent.pid);
    const { seconds, statuses, known, fresh } = flood.result;
    rows.push({
      credentials: name,
      'wrong tokens': count,
      seconds: seconds.toFixed(2),
      '401 / 429': `${statuses.get(401) ?? 0} / ${statuses.get(429) ?? 0}`,
      'CPU per token µs': Math.round(((after.cpuMs - before.cpuMs) * 1000) / count),
      'loop delay p99 / max ms': `${lag.p99Ms} / ${lag.maxMs}`,
      'right token ms': latency(known),
      'new right JWT ms': fresh.length === 0 ? '' : latency(fresh),
      'peak RSS': formatMiB(flood.peakBytes),
    });
  }
  return [
    {
      title: `${count} wrong tokens over ${connections} connections, as fast as they are answered`,
      note: 'One agent of its own each, the bundle, attached to nothing; the client shares its two cores. Right tokens are asked one after the other on a connection of their own: median (min-max); every answer to them was 200.',
      rows,
    },
  ];
};

interface Flood {
  readonly agent: AgentProcess;
  readonly tokens: readonly string[];
  readonly right: string;
  readonly newJwt: SigningKey | false;
}

async function floodWith({ agent, tokens, right, newJwt }: Flood) {
  using pool = keptOpen(connections);
  using own = keptOpen(1);
  const statuses = new Map<number, number>();
  const startMs = performance.now();
  let isOver = false;
  let next = 0;
  const ask = async () => {
    for (let token = tokens[next++]; token !== undefined; token = tokens[next++]) {
      const answer = await status(agent, token, pool.agent);
      statuses.set(answer, (statuses.get(answer) ?? 0) + 1);
    }
  };
  const known: number[] = [];
  const fresh: number[] = [];
  const askRightly = async () => {
    while (!isOver) {
      known.push(await timed(agent, right, own.agent));
      if (newJwt !== false)
        fresh.push(await timed(agent, await sign(newJwt, { claims: { jti: fresh.length } }), own.agent));
      await delay(10);
    }
  };
  const asking = askRightly();
  await Promise.all(Array.from({ length: connections }, ask));
  const seconds = (performance.now() - startMs) / 1000;
  isOver = true;
  await asking;
  return { seconds, statuses, known, fresh };
}

async function timed(agent: AgentProcess, token: string, pool: HttpAgent): Promise<number> {
  const startMs = performance.now();
  const answer = await status(agent, token, pool);
  if (answer !== 200) throw new Error(`a right token was answered ${answer}`);
  return performance.now() - startMs;
}

function status({ api }: AgentProcess, token: string, agent: HttpAgent | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    const asked = request(`${api}/targets`, { headers, ...(agent && { agent }) }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    asked.on('error', reject).end();
  });
}

async function loopDelays({ opsUrl }: AgentProcess): Promise<{ p99Ms: string; maxMs: string }> {
  const text = await (await fetch(`${opsUrl}/metrics`)).text();
  const of = (name: string) => {
    const value = new RegExp(`^nodejs_eventloop_lag_${name}_seconds (\\S+)$`, 'm').exec(text)?.[1];
    return (Number(value) * 1000).toFixed(0);
  };
  return { p99Ms: of('p99'), maxMs: of('max') };
}

function latency(values: readonly number[]): string {
  const { median, min, max, count } = spreadOf(values);
  return `${median.toFixed(1)} (${min.toFixed(1)}-${max.toFixed(1)}, n=${count})`;
}

function keptOpen(maxSockets: number): Disposable & { readonly agent: HttpAgent } {
  const agent = new HttpAgent({ keepAlive: true, maxSockets });
  return { agent, [Symbol.dispose]: () => agent.destroy() };
}
