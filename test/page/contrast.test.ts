import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const styles = readFileSync(join(import.meta.dirname, '../../dashboard/style/base.css'), 'utf8');
const pairs = new Map(
  Array.from(styles.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g), ([, name, light, dark]) => [
    name ?? '',
    { light: light ?? '', dark: dark ?? '' },
  ]),
);
const inks = ['text', 'dim', 'accent', 'good', 'busy', 'warn', 'bad'];
const grounds = ['page', 'card', 'sunken'];
const texts = [
  ...inks.flatMap((ink) => grounds.map((ground) => [ink, ground] as const)),
  ...['good', 'warn', 'bad'].flatMap((tone) =>
    ['text', 'dim', 'accent', tone].map((ink) => [ink, `${tone}-back`] as const),
  ),
  ['on-accent', 'accent'] as const,
];

it.each(texts)('writes --%s on --%s with a contrast of 4.5 or more in both themes', (ink, ground) => {
  expect(contrast(colour(ink, 'light'), colour(ground, 'light'))).toBeGreaterThanOrEqual(4.5);
  expect(contrast(colour(ink, 'dark'), colour(ground, 'dark'))).toBeGreaterThanOrEqual(4.5);
});

it.each(grounds)('draws the edges of controls on --%s with a contrast of 3 or more in both themes', (ground) => {
  expect(contrast(colour('line-strong', 'light'), colour(ground, 'light'))).toBeGreaterThanOrEqual(3);
  expect(contrast(colour('line-strong', 'dark'), colour(ground, 'dark'))).toBeGreaterThanOrEqual(3);
});

function colour(name: string, theme: 'light' | 'dark'): string {
  const pair = pairs.get(name);
  if (pair === undefined) throw new Error(`base.css has no --${name}`);
  return pair[theme];
}

/** WCAG 2.2, relative luminance and contrast ratio. */
function contrast(a: string, b: string): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(hex: string): number {
  const channel = (at: number): number => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}
