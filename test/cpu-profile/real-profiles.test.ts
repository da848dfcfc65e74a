import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Profile } from 'pprof-format';
import { describe, expect, it } from 'vitest';
import { encodeCollapsed } from '../../protocol/cpu-profile/collapsed.ts';
import { cpuFacts } from '../../protocol/cpu-profile/facts.ts';
import { shortFrameText } from '../../protocol/cpu-profile/frame-text.ts';
import { findHotFunctions } from '../../protocol/cpu-profile/hot-functions.ts';
import { parseCpuProfile, parseCpuProfileBytes } from '../../protocol/cpu-profile/parse.ts';
import { encodePprof } from '../../protocol/cpu-profile/pprof.ts';
import { sliceResultValue } from '../../protocol/inspector/message-bytes.ts';
import { openRawInspector } from '../inspector/raw-inspector.ts';
import { nodeVersions } from '../support/node-versions.ts';
import { startTarget } from '../support/target.ts';
import type { ProfileFile } from './profiles.ts';

const recorded = ['18.20.8', '20.20.2', '22.23.3', '24.21.0', '26.10.0'];

describe.each(recorded)('a recording of cpu-shapes on Node %s', async (version) => {
  const path = join(import.meta.dirname, '..', 'fixtures', 'node', version, 'cpu-shapes.cpuprofile');
  const bytes = await readFile(path);
  const file = JSON.parse(bytes.toString()) as ProfileFile;
  const profile = parseCpuProfileBytes(bytes);

  it('reads the same from bytes and from its value', () => {
    expect(profile).toEqual(parseCpuProfile(file));
  });

  it('has the recursive function on top, and what else burned CPU', () => {
    const { facts, problems } = cpuFacts(profile);
    expect(problems).toEqual([]);
    expect(facts.topFunction).toBe('climb cpu-shapes.mjs:4');
    expect(facts.samples).toBe(file.samples.length);
    expect(facts.intervalUs).toBeGreaterThan(1_900);
    expect(facts.intervalUs).toBeLessThan(2_300);
    const hot = findHotFunctions(profile).map((found) => shortFrameText({ ...found, scriptId: '' }));
    expect(hot).toEqual(
      expect.arrayContaining(['litter cpu-shapes.mjs:11', 'sorted cpu-shapes.mjs:17', '(garbage collector)']),
    );
  });

  it('has lost our own evaluations and kept their samples', () => {
    expect(file.nodes.some(({ callFrame }) => callFrame.url === 'sidescope:probe')).toBe(true);
    const urls = [...profile.nodeFrames].map((frame) => profile.frames[frame]!.url);
    expect(urls.filter((url) => url.startsWith('sidescope:'))).toEqual([]);
    expect(profile.samples).toHaveLength(file.samples.length);
  });

  it('names the line of the loop in pprof, and the whole recursion in collapsed stacks', () => {
    const pprof = Profile.decode(encodePprof(profile));
    const lines = pprof.location.flatMap((location) => location.line.map(({ line }) => Number(line)));
    expect(lines).toContain(7);
    const turn = 'turn /srv/test/targets/cpu-shapes.mjs:21';
    const climb = 'climb /srv/test/targets/cpu-shapes.mjs:4';
    const stacks = new TextDecoder().decode(encodeCollapsed(profile));
    expect(stacks).toContain(`;${turn};${climb};${climb};${climb};${climb} `);
  });
});

describe('a profile taken now', () => {
  it.each(nodeVersions)('on Node $version is read, and burns below the timers', async ({ major }) => {
    await using target = await startTarget('busy', { node: major });
    using inspector = await openRawInspector(target.inspectorAddress);
    await inspector.ask(1, 'Profiler.enable');
    await inspector.ask(2, 'Profiler.start');
    // Each answer comes after a turn of the loop or inside one: the sampler runs meanwhile.
    for (let id = 10; id < 40; id++) {
      await inspector.ask(id, 'Runtime.evaluate', {
        expression: 'new Promise((done) => setTimeout(done, 5))\n//# sourceURL=sidescope:wait',
        awaitPromise: true,
      });
    }
    const bytes = sliceResultValue(await inspector.ask(3, 'Profiler.stop'), 'profile');
    const profile = parseCpuProfileBytes(bytes);
    expect(profile).toEqual(parseCpuProfile(JSON.parse(new TextDecoder().decode(bytes))));
    expect(cpuFacts(profile)).toMatchObject({ problems: [], facts: { topFunction: expect.any(String) as string } });
    // Not `burn`: what V8 optimised and inlined before the profile began, it often credits to the outermost caller.
    const timers = findHotFunctions(profile, 1_000).filter(
      ({ url }) => url === 'node:internal/timers' || url.endsWith('busy.mjs'),
    );
    expect(timers.length).toBeGreaterThan(0);
    expect(new TextDecoder().decode(encodeCollapsed(profile))).toMatch(
      /processTimers node:internal\/timers:\d+;listOnTimeout /,
    );
  });
});
