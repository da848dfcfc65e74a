import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { WhyReport } from '../../agent/cli/why/report.ts';
import { canLimitCpu } from '../support/limited-cpu.ts';
import { nodeVersions } from '../support/node-versions.ts';
import * as cases from '../why/stuck-cases.ts';
import { mistakesIn, startStuck } from '../why/stuck-cases.ts';
import type { StuckCase } from '../why/stuck-cases.ts';
import { spreadOf } from './support.ts';
import type { Bench } from './support.ts';

const bundle = join(import.meta.dirname, '../../dist/agent/main.mjs');

const all: readonly StuckCase[] = [
  cases.loop,
  cases.pattern,
  cases.jsonParse,
  { ...cases.jsonParse, name: 'JSON.parse of 40 MB, again and again', message: { rows: 1_000_000 } },
  cases.crypto,
  {
    ...cases.crypto,
    name: 'crypto.pbkdf2Sync of a second, again and again',
    message: { rounds: 3_000_000 },
  },
  cases.longCrypto,
  cases.zlib,
  cases.childProcess,
  cases.atomicsWait,
  cases.worker,
  ...(canLimitCpu() ? [cases.throttled] : []),
];

/** From the start of `sidescope why` to its answer, in milliseconds; what is wrong in the answer is counted. */
export const bench: Bench = async ({ quick, signal }) => {
  const runs = quick ? 1 : 3;
  const versions = nodeVersions.filter(({ major }) => !quick || [18, 24].includes(major));
  const load = loadavg()[0] ?? 0;
  let worstMs = 0;
  const wrong: string[] = [];
  let answers = 0;
  let closedLater = 0;
  const rows = [];
  for (const stuckCase of all) {
    const row: Record<string, string> = { case: stuckCase.name };
    for (const { major } of versions) {
      const timesMs: number[] = [];
      for (let run = 0; run < runs; run++) {
        signal.throwIfAborted();
        await using target = await startStuck(stuckCase, major);
        await delay(settleMs, undefined, { signal });
        const { report, answerMs } = await ask(target.pid);
        timesMs.push(answerMs);
        answers++;
        if (report.inspector === 'no-answer') closedLater++;
        wrong.push(...mistakesIn(report, stuckCase).map((mistake) => `${stuckCase.name}, Node ${major}: ${mistake}`));
      }
      const { median, max } = spreadOf(timesMs);
      worstMs = Math.max(worstMs, max);
      row[`Node ${major}`] = Math.round(median).toString();
    }
    rows.push(row);
  }
  return [
    {
      title: 'sidescope why: milliseconds from its start to the answer',
      note: [
        `median of ${runs}, the bundle in a process of its own against processes that were never prepared, one after the other`,
        `the longest of all ${Math.round(worstMs)} ms; load average before ${load.toFixed(1)}, behind ${(loadavg()[0] ?? 0).toFixed(1)}`,
        `in ${closedLater} of ${answers} the inspector closed behind the answer, when a native call had returned`,
        `wrong in an answer: ${wrong.length === 0 ? 'nothing' : wrong.join('; ')}`,
      ].join('; '),
      rows,
    },
  ];
};

const settleMs = 300;

async function ask(pid: number): Promise<{ report: WhyReport; answerMs: number }> {
  const startMs = performance.now();
  const child = spawn(process.execPath, [bundle, 'why', String(pid), '--json'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  let said = '';
  let answerMs = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
    answerMs = performance.now() - startMs;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('error', reject).once('close', resolve);
  const code = await promise;
  if (code !== 0) throw new Error(`sidescope why ended with ${code}: ${said}`);
  return { report: JSON.parse(printed) as WhyReport, answerMs };
}
