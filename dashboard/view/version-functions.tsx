import type { FunctionChange } from '../../protocol/rest/diff.ts';
import type { RegressionCheck } from '../../protocol/rest/regressions.ts';
import { formatCount, formatShare, plural } from '../format.ts';
import { changeWords, partedChanges } from '../model/diff-words.ts';
import { sentence } from '../model/words.ts';
import { FunctionCell } from './function-cell.tsx';

/** By all CPU profiles of each version: what the new one does more of. */
export function VersionFunctions({ check: { functions, functionsReason } }: { check: RegressionCheck }) {
  if (functions === null) return functionsReason === null ? null : <p class="hint">{sentence(functionsReason)}</p>;
  const { beforeVersion, afterVersion, samplesBefore, samplesAfter, changes } = functions;
  const { telling, small } = partedChanges(changes);
  return (
    <details open={changes.some(({ isSignificant }) => isSignificant)}>
      <summary>
        Functions: version {beforeVersion ?? 'before'} to {afterVersion ?? 'now'}
      </summary>
      <p class="hint">
        Shares of the CPU time, of {formatCount(samplesBefore)} and {formatCount(samplesAfter)} samples.
      </p>
      {telling.length > 0 && <Changes changes={telling} />}
      {small.length > 0 && (
        <details>
          <summary>{plural(small.length, 'function')} changed by less than a point, within chance</summary>
          <Changes changes={small} />
        </details>
      )}
    </details>
  );
}

function Changes({ changes }: { changes: readonly FunctionChange[] }) {
  return (
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
  );
}
