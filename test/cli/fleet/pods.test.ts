import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { explainProcess } from '../../../agent/cli/why.ts';
import { listPods } from '../../../agent/cli/pods.ts';
import { startFleet } from './fleet.ts';
import type { Fleet } from './fleet.ts';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({
    'shop-a': { tag: '1.4.2', alerts: [{ problem: 'memory-leak', title: 'the heap leaks 3 MB/min', state: 'closed' }] },
    'shop-b': { alerts: [{ problem: 'memory-limit', title: 'heap at 93 % of its limit' }] },
    'shop-c': {
      stalls: [
        {
          summary: 'blocked for 12 s in isValidEmail validate.js:4',
          span: { traceId: 'abc', spanId: 'd', name: 'POST', sampled: true, route: '/subscribe', share: 1 },
        },
      ],
    },
    'shop-d': { sidecar: 'absent' },
    'shop-e': { sidecar: 'waiting' },
    'shop-f': { execFails: 'sidescope token: no agent runs here' },
    'shop-g': {
      targets: [
        {
          state: {
            state: 'connecting',
            attempts: 3,
            nextAttemptAt: null,
            lastFailure: { code: 'x', message: 'connection refused' },
          },
        },
      ],
    },
    'cart-a': { labels: { app: 'cart' } },
  });
});
afterAll(() => fleet[Symbol.asyncDispose]());

describe('sidescope pods', () => {
  test('lists the pods of a label with version, node, sidecar, target, health and last alert', async () => {
    const { code, printed } = await fleet.run(listPods, ['-l', 'app=shop']);
    const rows = new Map(
      printed.split('\n').map((line) => [line.trim().split(/ {2,}/)[0], line.trim().split(/ {2,}/)]),
    );
    expect([...rows.keys()].slice(0, 8)).toEqual(['pod', ...'abcdefg'.split('').map((letter) => `shop-${letter}`)]);
    expect(rows.get('shop-a')?.slice(0, 3)).toEqual(['shop-a', '1.4.2 aaa111', 'node-1']);
    const isOver = expect.stringMatching(/^\d s ago, over: the heap leaks 3 MB\/min$/) as string;
    expect(rows.get('shop-a')?.slice(4)).toEqual(['ok', 'attached', 'ok', isOver]);
    const isOpen = expect.stringMatching(/^\d s ago, open: heap at 93 % of its limit$/) as string;
    expect(rows.get('shop-b')?.slice(4)).toEqual(['ok', 'attached', 'dying', isOpen]);
    expect(rows.get('shop-c')?.slice(4)).toEqual(['ok', 'attached', 'stuck', '-']);
    expect(rows.get('shop-d')?.slice(4)).toEqual(['no sidecar', '-', 'unknown', '-']);
    expect(rows.get('shop-e')?.slice(4)).toEqual(['waits: ImagePullBackOff', '-', 'unknown', '-']);
    expect(rows.get('shop-f')?.slice(4)).toEqual(['no answer', '-', 'unknown', '-']);
    expect(rows.get('shop-g')?.slice(4)).toEqual(['ok', 'connecting', 'detached', '-']);
    expect(printed).toContain('shop-f: kubectl exec');
    expect(printed).toContain('no agent runs here');
    expect(code).toBe(1);
  });

  test('--json has one object for each pod', async () => {
    const { printed } = await fleet.run(listPods, ['-l', 'app=cart', '--json']);
    const { pods } = JSON.parse(printed) as { pods: Record<string, unknown>[] };
    expect(pods).toEqual([
      expect.objectContaining({ name: 'cart-a', namespace: 'shop', health: { word: 'ok', why: '' }, problem: null }),
    ]);
  });

  test('a token that kubectl loses on the way is asked for again', async () => {
    const { cluster } = fleet;
    const behaviour = cluster.behaviours.get('cart-a')!;
    const answers = [Promise.resolve({ stdout: '', code: 0 }), behaviour.exec([])];
    cluster.behaviours.set('cart-a', {
      ...behaviour,
      exec: () => answers.shift() ?? expect.unreachable('asked twice'),
    });
    const { printed } = await fleet.run(listPods, ['-l', 'app=cart', '--json']);
    cluster.behaviours.set('cart-a', behaviour);
    expect(JSON.parse(printed)).toMatchObject({ pods: [{ name: 'cart-a', problem: null }] });
  });

  test('no pod of these labels, and no right to list them, are said', async () => {
    await expect(fleet.run(listPods, ['-l', 'app=nothing'])).rejects.toMatchObject({
      code: 'no-pods',
      message: 'there is no pod of -l app=nothing in this namespace',
    });
    const message = 'pods is forbidden: User "jane" cannot list resource "pods"';
    fleet.cluster.refusals.set('get pods', { status: 403, reason: 'Forbidden', message });
    await expect(fleet.run(listPods, ['-l', 'app=shop'])).rejects.toMatchObject({
      code: 'kubectl-failed',
      message: expect.stringContaining(message) as string,
    });
    fleet.cluster.refusals.delete('get pods');
  });

  test.each([
    [[], 'which pods? -l LABELS or KIND/NAME'],
    [['pod/shop'], '"pod/shop" is no workload such as deploy/NAME'],
    [['deploy/a', 'deploy/b'], 'one workload at a time'],
    [['deploy/a', '-l', 'app=b'], 'either -l app=b or "deploy/a"'],
    [['deploy/--all'], 'is no workload'],
    [['constructor/shop'], '"constructor/shop" is no workload'],
    [['-l', 'a=b', '--at-once', '0'], '--at-once "0" is no count from 1 to 100'],
  ])('a mistake in the command line asks nobody: %j', async (args, sentence) => {
    const before = fleet.cluster.requests.length;
    await expect(fleet.run(listPods, args)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining(sentence) as string,
    });
    expect(fleet.cluster.requests.length).toBe(before);
  });
});

describe('sidescope why -l', () => {
  test('has one line for each pod, the stuck one first with function, line, request and trace', async () => {
    const { printed, code } = await fleet.run(explainProcess, ['-l', 'app=shop']);
    const [head = '', ...lines] = printed
      .trim()
      .split('\n')
      .map((line) => line.trim());
    expect(head.split(/ +/)).toEqual(['health', 'pod', 'why']);
    expect(lines.slice(0, 7).map((line) => line.split(/ +/).slice(0, 2).join(' '))).toEqual([
      'stuck shop-c',
      'dying shop-b',
      'unknown shop-d',
      'unknown shop-e',
      'unknown shop-f',
      'detached shop-g',
      'ok shop-a',
    ]);
    expect(lines[0]).toContain('blocked for 12 s in isValidEmail validate.js:4; request /subscribe, trace abc');
    expect(lines[1]).toContain('heap at 93 % of its limit');
    expect(lines[4]).toContain('no agent runs here');
    expect(lines.at(-1)).toBe('A pod without the agent is looked into by: sidescope why pod/NAME');
    expect(code).toBe(1);
  });

  test('options of one process are refused for many', async () => {
    await expect(fleet.run(explainProcess, ['-l', 'app=shop', '--pid', '3'])).rejects.toThrow(
      '--pid is for one process',
    );
  });
});
