import type { Page } from 'playwright-core';
import type { SidescopeEvent } from '../../protocol/rest/event.ts';
import { profileScenes } from './profile-scenes.ts';
import { sampleAlert, sampleDeath } from './incident-samples.ts';
import { heapScenes } from './heap-scenes.ts';
import { memoryScenes } from './memory-scenes.ts';
import { requestScenes } from './request-scenes.ts';
import { sampleDiff, sampleRegression } from './regression-samples.ts';
import { sampleCatch, sampleRule, sampleRules } from './rule-samples.ts';
import {
  ago,
  connectingTarget,
  detachedTarget,
  refusedForecast,
  sampleInfo,
  sampleOperation,
  sampleProfile,
  sampleSnapshot,
  sampleStall,
  sampleTarget,
  sampleVitals,
} from './samples.ts';
import type { Scene } from './scene.ts';
import type { World } from './stand-in.ts';

/** Made anew at each call: their times are of now. */
export function scenes(): Scene[] {
  const features = [
    { name: 'storage', state: 'on', reason: null, remedy: null },
    { name: 'vitals', state: 'on', reason: null, remedy: null },
    { name: 'otlp', state: 'on', reason: null, remedy: null },
  ] as const;
  const incident: Partial<World> = {
    info: sampleInfo({ features: [...features] }),
    stalls: [sampleStall({ startedAt: ago(320_000), noticedAt: ago(319_000), endedAt: ago(316_900) })],
    alerts: [sampleAlert()],
    deaths: [sampleDeath()],
    rules: sampleRules({ catches: [sampleCatch()] }),
    profiles: [
      sampleProfile({ startedAt: ago(310_000), endedAt: ago(280_000) }),
      sampleSnapshot({ startedAt: ago(120_000), endedAt: ago(117_000) }),
    ],
  };
  const vitals: SidescopeEvent = { type: 'vitals', vitals: sampleVitals() };
  const charts = (page: Page): Promise<void> => page.getByRole('figure', { name: 'CPU' }).waitFor();
  return [
    {
      name: 'overview',
      path: '/',
      world: incident,
      events: [
        vitals,
        { type: 'stall', stall: sampleStall({ id: 's-9', startedAt: ago(3_200), state: 'ongoing', endedAt: null }) },
      ],
      ready: charts,
    },
    {
      name: 'overview-quiet',
      path: '/',
      world: { ...incident, stalls: [], alerts: [], deaths: [] },
      events: [vitals],
      ready: charts,
    },
    {
      name: 'overview-many',
      path: '/?range=1h',
      world: { ...incident, targets: [sampleTarget(), connectingTarget, detachedTarget] },
      events: [vitals],
      ready: charts,
    },
    ...profileScenes(),
    {
      name: 'captures',
      path: '/captures',
      world: {
        ...incident,
        forecast: refusedForecast,
        operations: [sampleOperation()],
        profiles: Array.from({ length: 12 }, (_, index) =>
          index % 3 === 1
            ? sampleSnapshot({ id: `p-${index}`, startedAt: ago(index * 700_000) })
            : sampleProfile({ id: `p-${index}`, startedAt: ago(index * 700_000), pinned: index === 4 }),
        ),
      },
      ready: (page) => page.getByText('Refused', { exact: true }).waitFor(),
    },
    ...requestScenes(incident),
    ...memoryScenes(incident),
    ...heapScenes(),
    {
      name: 'alerts',
      path: '/alerts?alert=a-1',
      world: { ...incident, rules: sampleRules({ rules: [sampleRule()] }) },
      ready: (page) => page.getByText('heap grows').first().waitFor(),
    },
    {
      name: 'regressions',
      path: '/regressions',
      world: { ...incident, regressions: [sampleRegression()] },
      ready: (page) => page.getByText('grew from 4 % to 31 %').waitFor(),
    },
    {
      name: 'compare',
      path: '/compare/p-1/p-2',
      world: { ...incident, diff: sampleDiff() },
      ready: (page) => page.getByText('renderReport grew most').waitFor(),
    },
    { name: 'agent', path: '/agent', world: incident, ready: (page) => page.getByText('What is on').waitFor() },
  ];
}
