import '../style/source.css';
import { useEffect, useRef } from 'preact/hooks';
import type { Frame } from '../../protocol/cpu-profile/model.ts';
import type { SourceFunction, SourceLine } from '../../protocol/rest/profile-source.ts';
import { nameOf } from '../flame/flame-words.ts';
import { formatShare, plural } from '../format.ts';
import {
  fromWords,
  functionOfFrame,
  hottestLine,
  noLinesText,
  sourceText,
  visibleText,
  withGaps,
} from '../model/source-words.ts';
import { CopyText } from './copy-text.tsx';
import { usePage } from './page-context.ts';
import { ProblemNote } from './parts.tsx';
import { useAnswer } from './use-profile.ts';

const sourceSectionId = 'profile-source';

/** From the table, which on a phone stands below. */
export function goToSourceLines(): void {
  document.getElementById(sourceSectionId)?.focus();
}

/** The source lines of the chosen function with the share of each, or why there are none. */
export function ProfileSourceLines({ profileId, frame }: { profileId: string; frame: Frame | null }) {
  const { api } = usePage();
  const wasAsked = useRef(false);
  wasAsked.current ||= frame !== null && profileId !== 'file';
  const source = useAnswer(wasAsked.current ? `source of ${profileId}` : null, () => api.profileSource(profileId));
  const found = frame === null || source.value === null ? undefined : functionOfFrame(source.value.functions, frame);
  return (
    <section class="source" id={sourceSectionId} tabIndex={-1} aria-label="Source lines">
      {frame === null ? (
        <p class="hint">Choose a function, in the graph or in a table, to see its source lines.</p>
      ) : profileId === 'file' ? (
        <p class="hint">
          A dropped file has no source lines: the agent keeps them with the profiles that it takes itself.
        </p>
      ) : source.problem !== null ? (
        <ProblemNote problem={source.problem} />
      ) : source.value === null ? (
        <p class="hint" role="status">
          Reading the source lines…
        </p>
      ) : found !== undefined && found.lines.length > 0 ? (
        <Lines name={nameOf(frame)} found={found} omitted={source.value.omittedLines} />
      ) : (
        <p class="hint" role="status">
          {noLinesText(source.value, frame)}
        </p>
      )}
    </section>
  );
}

function Lines({ name, found, omitted }: { name: string; found: SourceFunction; omitted: number }) {
  const hottest = hottestLine(found.lines);
  const place = `${found.file ?? ''}:${hottest?.line ?? found.line}`;
  const box = useRef<HTMLDivElement>(null);
  const hottestRow = useRef<HTMLTableRowElement>(null);
  useEffect(() => {
    // Within the box only: the page stays where it is.
    if (box.current !== null && hottestRow.current !== null)
      box.current.scrollTop = hottestRow.current.offsetTop - box.current.clientHeight / 3;
  }, [found]);
  return (
    <>
      <div class="source-title">
        <p>
          <bdi class="name">{name}</bdi> <code>{place.slice(0, 1_000)}</code>{' '}
          <span class="dim">
            {found.from !== null && fromWords[found.from]}, with shares of the function’s own samples
          </span>
        </p>
        <p class="act">
          <CopyText label="Copy file:line" text={() => place} />
          <CopyText label="Copy lines" text={() => sourceText(found)} />
        </p>
      </div>
      {found.hasChanged && (
        <p class="note warn">The file changed after the process started: these lines may not be those that ran.</p>
      )}
      {!found.hasLines && (
        <p class="hint">V8 tells only the function here, as of minified text: all samples stand at its first line.</p>
      )}
      <div ref={box} class="source-box" tabIndex={0} role="region" aria-label={`Source lines of ${name.slice(0, 100)}`}>
        <table class="source-lines">
          <caption class="sr">Lines, and the share of the function’s own samples in which each was executing</caption>
          <thead class="sr">
            <tr>
              <th scope="col">Line</th>
              <th scope="col">Self</th>
              <th scope="col">Source</th>
            </tr>
          </thead>
          <tbody>
            {withGaps(found.lines).map((line, index) =>
              line === null ? (
                <tr key={`gap ${index}`} class="gap">
                  <td colSpan={3}>
                    <span aria-hidden="true">⋯</span>
                    <span class="sr">lines left out</span>
                  </td>
                </tr>
              ) : (
                <tr
                  key={line.line}
                  ref={line === hottest ? hottestRow : null}
                  class={line.selfSamples > 0 ? 'hot' : undefined}
                >
                  <th scope="row">{line.line}</th>
                  <Share line={line} />
                  <td class="text">
                    <code>{visibleText(line)}</code>
                  </td>
                </tr>
              ),
            )}
          </tbody>
        </table>
      </div>
      {omitted > 0 && (
        <p class="hint">{plural(omitted, 'line')} of this profile’s functions are left out over the bound of 64 KiB.</p>
      )}
    </>
  );
}

function Share({ line: { selfSamples, selfShare } }: { line: SourceLine }) {
  if (selfSamples === 0) return <td />;
  return (
    <td class="share" title={plural(selfSamples, 'sample')}>
      {formatShare(selfShare)}
      <span class="bar" aria-hidden="true">
        <span style={{ width: `${selfShare * 100}%` }} />
      </span>
    </td>
  );
}
