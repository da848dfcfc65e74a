import type { Spread } from '../../protocol/rest/baseline.ts';
import type { MetricWindows } from '../../protocol/rest/regressions.ts';
import { layoutSparkline } from '../model/sparkline.ts';

const sizes = { small: [120, 26], large: [300, 64] } as const;

/** One value over its windows, over the band of what was usual; `words` say it to who does not see it. Nothing without two windows. */
export function Sparkline(props: {
  windows: MetricWindows;
  baseline: Spread;
  since?: string | null;
  size: keyof typeof sizes;
  words: string;
}) {
  const { windows, baseline, since = null, size, words } = props;
  if (windows.length < 2) return null;
  const [widthPx, heightPx] = sizes[size];
  const { line, band, medianPx, changePx, last } = layoutSparkline({ windows, baseline, since, widthPx, heightPx });
  return (
    <svg class={`sparkline ${size}`} viewBox={`0 0 ${widthPx} ${heightPx}`} role="img" aria-label={words}>
      <title>{words}</title>
      <rect class="usual" x="0" width={widthPx} y={band.topPx} height={band.heightPx} />
      <path class="median" d={`M0 ${medianPx}H${widthPx}`} />
      {changePx !== null && <path class="change" d={`M${changePx} 0V${heightPx}`} />}
      <path class="line" d={line} />
      {last !== null && <circle cx={last.xPx} cy={last.yPx} r="2.5" />}
    </svg>
  );
}
