import type { Reference, RegressionCheck } from '../../protocol/rest/regressions.ts';
import {
  amountOf,
  changeOf,
  compareRows,
  referenceWords,
  significanceWords,
  verdictWords,
  type CompareRow,
} from '../model/regression-words.ts';
import { sentence } from '../model/words.ts';
import { Badge } from './parts.tsx';
import { Sparkline } from './sparkline.tsx';
import { VersionFunctions } from './version-functions.tsx';

/** Each measure now beside its baseline and the version before, worst first. */
export function CheckTable({ check, notYet }: { check: RegressionCheck; notYet: string | null }) {
  const rows = compareRows(check);
  return (
    <>
      <p class="prose">{sentence(notYet ?? check.message)}</p>
      {rows.length > 0 && (
        <table class="profiles compare">
          <thead>
            <tr>
              <th scope="col">Measure</th>
              <th scope="col" class="num">
                Now
              </th>
              {check.comparisons.map(({ reference }) => (
                <th key={`${reference.kind} ${reference.takenAt}`} scope="col" class="num">
                  {referenceWords(reference)}
                </th>
              ))}
              <th scope="col">Over time</th>
              <th scope="col">Verdict</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <MeasureRow key={row.metric} row={row} references={check.comparisons.map(({ reference }) => reference)} />
            ))}
          </tbody>
        </table>
      )}
      <VersionFunctions check={check} />
    </>
  );
}

function RowPicture({ row: { title, cells } }: { row: CompareRow }) {
  const cell = cells.find((one) => one !== null && one.windows.length > 1);
  if (cell === null || cell === undefined) return <span class="dim">–</span>;
  const words = `${title} over ${cell.windows.length} windows, beside the usual`;
  return <Sparkline windows={cell.windows} baseline={cell.baseline} size="small" words={words} />;
}

function nameOf(reference: Reference | undefined): string {
  return reference === undefined ? 'Before' : referenceWords(reference);
}

function MeasureRow({ row, references }: { row: CompareRow; references: readonly Reference[] }) {
  const [tone, word] = verdictWords[row.worst];
  const explanation = row.cells.find((cell) => cell?.explanation)?.explanation ?? null;
  return (
    <tr>
      <td data-label="Kind" class="told">
        {row.title}
      </td>
      <td class="num" data-label="Now">
        {amountOf(row.now, row.unit)}
      </td>
      {row.cells.map((cell, index) => (
        <td key={index} class="num" data-label={nameOf(references[index])}>
          {cell === null ? (
            <span class="dim">not known</span>
          ) : (
            <>
              {amountOf(cell.baseline.median, row.unit)} <span class="dim">{changeOf(cell.change)}</span>
              <br />
              <span class="dim" title={significanceWords(cell.significance)}>
                {Number(cell.significance.toFixed(1))} σ
              </span>
            </>
          )}
        </td>
      ))}
      <td class="over-time" data-label="Over time">
        <RowPicture row={row} />
      </td>
      <td data-label="Verdict">
        <Badge tone={tone}>{word}</Badge> {explanation !== null && <span class="dim">{explanation}</span>}
      </td>
    </tr>
  );
}
