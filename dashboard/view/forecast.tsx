import type { SnapshotForecast } from '../../protocol/rest/forecast.ts';
import { formatBytes, formatDuration, formatRange } from '../format.ts';
import { sentence } from '../model/words.ts';
import { Badge, Command, Facts } from './parts.tsx';

const limitWords: Readonly<Record<SnapshotForecast['limit']['source'], string>> = {
  container: 'container limit',
  'host-free': 'free memory of the host',
  unknown: 'not known',
};

export function Forecast({ forecast }: { forecast: SnapshotForecast }) {
  const { limit } = forecast;
  const refused = forecast.verdict === 'refuse';
  return (
    <div class={`forecast ${forecast.verdict}`}>
      <p>
        <Badge tone={refused ? 'bad' : 'good'}>{refused ? 'Refused' : 'Safe to take'}</Badge>{' '}
        {sentence(forecast.reason)}
      </p>
      <MemoryBar forecast={forecast} />
      <Facts
        rows={[
          ['Pause', `${formatRange(forecast.predictedPauseMs, formatDuration)}`],
          ['Pause allowed', formatDuration(forecast.livenessBudgetMs)],
          ['Peak memory', formatRange(forecast.predictedPeakBytes, formatBytes)],
          ['Limit', limit.bytes === null ? 'not known' : `${formatBytes(limit.bytes)} (${limitWords[limit.source]})`],
          ['File', formatRange(forecast.predictedFileBytes, formatBytes)],
          [
            'Based on',
            forecast.basis === 'earlier-snapshot' ? 'an earlier snapshot of this program' : 'the worst case',
          ],
        ]}
      />
      {forecast.alternatives.length > 0 && (
        <details open={refused}>
          <summary>{refused ? 'Safer ways' : 'Other ways'}</summary>
          <ul class="alternatives">
            {forecast.alternatives.map((alternative) => (
              <li key={alternative.title}>
                {alternative.title}
                <Command text={alternative.command} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

/** What a forced snapshot may do, in words and with its numbers. */
export function forceConsequence(forecast: SnapshotForecast): string {
  const pause = formatRange(forecast.predictedPauseMs, formatDuration);
  const over =
    forecast.limit.bytes !== null && forecast.predictedPeakBytes.high > forecast.limit.bytes
      ? ` Its memory may reach ${formatBytes(forecast.predictedPeakBytes.high)} of ${formatBytes(forecast.limit.bytes)}: the kernel may kill the process.`
      : '';
  return `I accept that the target answers nothing for ${pause}, health checks included.${over} My name is written to the audit log.`;
}

/** Now, and the predicted range, against the limit. */
function MemoryBar({ forecast }: { forecast: SnapshotForecast }) {
  const { limit, predictedPeakBytes: peak, rssBytes } = forecast;
  if (limit.bytes === null) return null;
  const scale = Math.max(limit.bytes, peak.high) * 1.04;
  const share = (bytes: number): string => `${((bytes / scale) * 100).toFixed(2)}%`;
  const words = `Memory now ${formatBytes(rssBytes)}, predicted peak ${formatRange(peak, formatBytes)}, limit ${formatBytes(limit.bytes)}`;
  return (
    <div class="memory" role="img" aria-label={words} title={words}>
      <span class="high" style={{ width: share(peak.high) }} />
      <span class="low" style={{ width: share(peak.low) }} />
      <span class="now" style={{ width: share(rssBytes) }} />
      <span class="limit" style={{ left: share(limit.bytes) }} />
    </div>
  );
}
