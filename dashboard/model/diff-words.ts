import type { FunctionChange, ProfileDiff } from '../../protocol/rest/diff.ts';
import { formatShare } from '../format.ts';

/** `▲ 12.5 points`, `▼ 8 points, gone`: from 4 % to 31 % are 27 points of 100, not 27 %. The sign says it without its colour too. */
export function changeWords({ change, kind }: Pick<FunctionChange, 'change' | 'kind'>): string {
  const sign = change > 0 ? '▲' : change < 0 ? '▼' : '=';
  const points = formatShare(Math.abs(change)).replace('%', 'points');
  return `${sign} ${points}${kind === 'changed' ? '' : `, ${kind}`}`;
}

/** One point of a hundred; below it, and within chance, is most of what a program does. */
const leastTelling = 0.01;

/** What is worth a row of its own, apart from the many that moved by chance. */
export function partedChanges(changes: readonly FunctionChange[]): {
  telling: readonly FunctionChange[];
  small: readonly FunctionChange[];
} {
  const isTelling = ({ isSignificant, change }: FunctionChange): boolean =>
    isSignificant || Math.abs(change) >= leastTelling;
  return { telling: changes.filter(isTelling), small: changes.filter((change) => !isTelling(change)) };
}

/** The first line above the table: what grew most, if anything grew beyond chance. */
export function diffSentence({ functions, kind }: Pick<ProfileDiff, 'functions' | 'kind'>): string {
  const certain = functions.filter(({ isSignificant }) => isSignificant);
  const of = kind === 'cpu' ? 'of the busy time' : 'of the allocated bytes';
  const grown = certain.find(({ change }) => change > 0);
  if (grown !== undefined) {
    // It may be 10 kB long; its row has the whole of it.
    const name = grown.functionName.slice(0, 200) || '(anonymous)';
    return `${name} grew most: from ${formatShare(grown.shareBefore)} to ${formatShare(grown.shareAfter)} ${of}.`;
  }
  if (certain.length > 0) return 'Nothing grew beyond chance; some functions shrank.';
  return 'No difference beyond what two profiles of the same program have.';
}
