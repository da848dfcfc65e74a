import type { RegressionCheck } from '../../protocol/rest/regressions.ts';
import { formatCount, formatShare } from '../format.ts';
import { changeWords } from '../model/diff-words.ts';
import { sentence } from '../model/words.ts';
import { FunctionCell } from './function-cell.tsx';

/** By all CPU profiles of each version: what the new one does more of. */
export function VersionFunctions({ check: { functions, functionsReason } }: { check: RegressionCheck }) {
  if (functions === null) return functionsReason === null ? null : <p class="hint">{sentence(functionsReason)}</p>;
  const { beforeVersion, afterVersion, samplesBefore, samplesAfter, changes } = functions;
  return (
    <details open={changes.some(({ isSignificant }) => isSignificant)}>
      <summary>
        Functions: version {beforeVersion ?? 'before'} to {afterVersion ?? 'now'}
      </summary>
      <p class="hint">
        Shares of the CPU time, of {formatCount(samplesBefore)} and {formatCount(samplesAfter)} samples.
      </p>
      <table class="profiles compare">
        <thead>
          <tr>
            <th scope="col">Function</th>
            <th scope="col" class="num">
              Before
            </th>
            <th scope="col" class="num">
              Now
            </th>
            <th scope="col">Change</th>
          </tr>
        </thead>
        <tbody>
          {changes.map((change, index) => (
            <tr key={index}>
              <FunctionCell {...change} />
              <td class="num" data-label="Before">
                {formatShare(change.shareBefore)}
              </td>
              <td class="num" data-label="Now">
                {formatShare(change.shareAfter)}
              </td>
              <td data-label="Change">
                {changeWords(change)} {!change.isSignificant && <span class="dim">within chance</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
