import { readdir, readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { heartbeatExpression, stackExpression, vitalsExpression } from '../../protocol/inspector/expressions.ts';
import { Attachment } from '../../agent/attach/attachment.ts';
import { parseInspectorAddress } from '../../agent/attach/address.ts';
import { discoverInspector } from '../../agent/attach/discovery.ts';
import { nodeVersions } from '../support/node-versions.ts';
import { startTarget } from '../support/target.ts';
import { formatSpread, spreadOf } from './support.ts';
import type { Bench } from './support.ts';

const questions = {
  'a stack sample': { expression: stackExpression, awaitPromise: false },
  'a heartbeat': { expression: heartbeatExpression, awaitPromise: true },
  'a reading of vitals': { expression: vitalsExpression, awaitPromise: false },
} as const;

const ignore = (): void => undefined;

/** What does one question of ours cost the target, in processor time? */
export const bench: Bench = async ({ quick, signal }) => {
  const rounds = quick ? 3 : 9;
  const count = 200;
  const rows = [];
  for (const { major, version } of nodeVersions.filter((each) => !quick || each.major === 24)) {
    await using target = await startTarget('forever', { node: major });
    const options = { timeoutMs: 10_000, signal };
    const { webSocketUrl, scriptUrl } = await discoverInspector(
      parseInspectorAddress(target.inspectorAddress),
      options,
    );
    const listener = { onThreads: ignore, onExiting: ignore, onEnded: ignore };
    await using attachment = await Attachment.open(webSocketUrl, { scriptUrl, listener, signal });
    const row: Record<string, string> = { node: version };
    for (const [name, { expression, awaitPromise }] of Object.entries(questions)) {
      const ask = async (times: number): Promise<void> => {
        for (let done = 0; done < times; done++)
          await attachment.main.evaluate(expression, { ...options, ...(awaitPromise && { awaitPromise }) });
      };
      // Compiled and cached by V8, as all but the first are.
      await ask(count);
      const costsMs: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const beforeMs = await processorMs(target.pid);
        await ask(count);
        costsMs.push(((await processorMs(target.pid)) - beforeMs) / count);
      }
      row[`${name}, ms`] = formatSpread(spreadOf(costsMs), 3);
    }
    rows.push(row);
  }
  return [
    {
      title: 'Processor time of the target for one question of ours',
      note: `all its threads, by the kernel's account in nanoseconds; ${count} questions one after the other to an idle process, median (min-max) of ${rounds} times; its inspector thread and the sockets are in it; load average ${(loadavg()[0] ?? 0).toFixed(1)}`,
      rows,
    },
  ];
};

async function processorMs(pid: number): Promise<number> {
  const ids = await readdir(`/proc/${pid}/task`);
  const texts = await Promise.all(ids.map((id) => readFile(`/proc/${pid}/task/${id}/schedstat`, 'utf8')));
  return texts.reduce((sum, text) => sum + Number(text.split(' ')[0]), 0) / 1e6;
}
