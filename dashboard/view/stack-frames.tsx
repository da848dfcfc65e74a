import type { ThreadStackFrame } from '../../protocol/rest/stacks.ts';
import { frameText } from '../model/stack-words.ts';

/** The running function first. */
export function StackFrames({ frames }: { frames: readonly ThreadStackFrame[] }) {
  if (frames.length === 0) return <p class="hint">No JavaScript runs.</p>;
  return (
    <ol class="frames">
      {frames.map((frame, index) => {
        const { name, place } = frameText(frame);
        return (
          <li key={index}>
            <code>
              <bdi>{name}</bdi>
            </code>{' '}
            <span class="dim" title={(frame.original ?? frame).url}>
              <bdi>{place}</bdi>
            </span>
          </li>
        );
      })}
    </ol>
  );
}
