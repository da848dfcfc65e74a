import type { Death } from '../../protocol/rest/deaths.ts';
import { formatBytes, formatDuration } from '../format.ts';
import { causeWords, deathText, limitText, poolWords } from '../model/memory-words.ts';
import { CopyText } from './copy-text.tsx';
import { Sites } from './leak-verdicts.tsx';
import { StackFrames } from './stack-frames.tsx';
import { Badge, Facts, Time } from './parts.tsx';

const confidenceWords = { certain: 'certain', likely: 'likely', guess: 'a guess' } as const;

/** How earlier runs ended, and what was known of them until then. */
export function DeathRecords(props: { deaths: readonly Death[]; nowMs: number; openId: string | undefined }) {
  const { deaths, nowMs, openId } = props;
  if (deaths.length === 0) return <p class="empty">No run ended while the agent watched.</p>;
  return (
    <ul class="deaths">
      {deaths.map((death) => (
        <li key={death.id} class="card" id={`death-${death.id}`}>
          <header>
            <h3>
              {death.targetName}, pid {death.identity.pid}
            </h3>
            <span class="dim">
              <Time iso={death.at} nowMs={nowMs} />, after {formatDuration(death.uptimeMs)}
            </span>
            <Badge tone={death.cause === 'exit' ? 'idle' : 'bad'}>{causeWords[death.cause]}</Badge>
          </header>
          <p class="state told">
            <bdi>{death.summary}</bdi>
          </p>
          <details open={death.id === openId}>
            <summary>What was known</summary>
            <Record death={death} />
          </details>
        </li>
      ))}
    </ul>
  );
}

function Record({ death }: { death: Death }) {
  const { memory, sampling, stall, stacks, error, lastReading } = death;
  return (
    <div class="details">
      <Facts
        rows={[
          ['Cause is', confidenceWords[death.confidence]],
          ['Exit code', death.exitCode],
          ['Signal', death.signal],
          ['Heap used', lastReading?.memory.heapUsedBytes && formatBytes(lastReading.memory.heapUsedBytes)],
          ['RSS', lastReading?.memory.rssBytes && formatBytes(lastReading.memory.rssBytes)],
          [
            'Grew most',
            memory.pool && memory.grownBytes !== null && `${poolWords[memory.pool]}, ${formatBytes(memory.grownBytes)}`,
          ],
          ['Next run', death.next && `started ${death.next.startedAt}`],
        ]}
      />
      {memory.limit && <p>{limitText(memory.limit)}</p>}
      <ul class="evidence">
        {death.evidence.map((text) => (
          <li key={text}>
            <bdi>{text}</bdi>
          </li>
        ))}
        {death.unknown.map((text) => (
          <li key={text} class="dim">
            Not known: <bdi>{text}</bdi>
          </li>
        ))}
      </ul>
      {error && (
        <pre class="stack-text" tabIndex={0}>
          <bdi>{error.stack}</bdi>
        </pre>
      )}
      {sampling && (
        <>
          <h4>What grew in its last reading</h4>
          <Sites sites={sampling.sites} label="What grew" />
        </>
      )}
      {stall && <p>{stall.summary}</p>}
      {stacks?.threads.map((thread) => (
        <div key={thread.thread}>
          <h4>
            Stack of {thread.thread}, <code>{stacks.takenAt}</code>
          </h4>
          <StackFrames frames={thread.frames} />
        </div>
      ))}
      <p class="act">
        <CopyText label="Copy as text" text={() => deathText(death)} />
      </p>
    </div>
  );
}
