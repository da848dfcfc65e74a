import { useEffect, useRef, useState } from 'preact/hooks';
import type { Profile } from '../../protocol/rest/profile.ts';
import { formatBytes, formatDuration } from '../format.ts';
import { kindWords, profileSummary } from '../model/words.ts';
import { downloadProfile, openInSpeedscope } from '../open-profile.ts';
import { hrefTo } from './navigation.ts';
import { useAction, usePage } from './page-context.ts';
import { Badge, ProblemNote, Time } from './parts.tsx';
import { ProfileDetails } from './profile-details.tsx';

const columns = 8;

export function ProfileRow(props: {
  profile: Profile;
  nowMs: number;
  /** The link names it: it is opened, and brought into sight. */
  isNamed: boolean;
  isChosen: boolean;
  onChoose: (isChosen: boolean) => void;
}) {
  const { profile, nowMs, isNamed, isChosen, onChoose } = props;
  const { api } = usePage();
  const action = useAction();
  const [open, setOpen] = useState(isNamed);
  const row = useRef<HTMLTableRowElement>(null);
  useEffect(() => {
    if (isNamed) row.current?.scrollIntoView({ block: 'center' });
  }, [isNamed]);
  const detailsId = `details-${profile.id}`;
  return (
    <>
      <tr ref={row} class={isNamed ? 'named' : undefined}>
        <td data-label="Kind">
          <span class={`kind ${profile.kind}`}>{kindWords[profile.kind]}</span> <Marks profile={profile} />
        </td>
        <td data-label="Started">
          <Time iso={profile.startedAt} nowMs={nowMs} />
        </td>
        <td data-label="Target">
          {profile.targetName} <span class="dim">{profile.thread.id}</span>
        </td>
        <td data-label="Duration" class="num">
          {formatDuration(profile.durationMs)}
        </td>
        <td data-label="Size" class="num">
          {formatBytes(profile.sizeBytes)}
        </td>
        <td data-label="Stands out" class="hot">
          <code title={profileSummary(profile)}>{profileSummary(profile)}</code>
        </td>
        <td data-label="Target paused" class="num">
          {profile.cost.pauseMs === null ? <span class="dim">not measured</span> : formatDuration(profile.cost.pauseMs)}
        </td>
        <td class="actions">
          {profile.kind !== 'heap-snapshot' && (
            <label class="check" title="Choose two to compare them">
              <input
                type="checkbox"
                checked={isChosen}
                onChange={(event) => onChoose(event.currentTarget.checked)}
                aria-label={`Compare ${profile.fileName}`}
              />
              <span class="narrow-word">Compare</span>
            </label>
          )}
          <a class="button" href={hrefTo(viewPath(profile))}>
            {profile.kind === 'heap-snapshot' ? 'Explore' : 'Flame graph'}
          </a>
          {profile.kind !== 'heap-snapshot' && (
            <button
              type="button"
              disabled={action.busy}
              title="Open in speedscope, served by this agent: the profile does not leave the machine"
              aria-label="Open in speedscope"
              onClick={() => action.run(() => openInSpeedscope(api, profile))}
            >
              Speedscope
            </button>
          )}
          <button
            type="button"
            disabled={action.busy}
            title={profile.kind === 'heap-snapshot' ? 'Open it in Chrome DevTools: Memory, Load' : profile.fileName}
            onClick={() => action.run(() => downloadProfile(api, profile))}
          >
            Download
          </button>
          <button type="button" aria-expanded={open} aria-controls={detailsId} onClick={() => setOpen(!open)}>
            {open ? 'Less' : 'More'}
          </button>
        </td>
      </tr>
      {action.problem && (
        <tr class="below">
          <td colSpan={columns}>
            <ProblemNote problem={action.problem} onClose={action.clear} />
          </td>
        </tr>
      )}
      {open && (
        <tr id={detailsId} class="below">
          <td colSpan={columns}>
            <ProfileDetails profile={profile} nowMs={nowMs} />
          </td>
        </tr>
      )}
    </>
  );
}

function viewPath(profile: Profile): string {
  return `${profile.kind === 'heap-snapshot' ? '/heap' : '/profile'}/${encodeURIComponent(profile.id)}`;
}

function Marks({ profile }: { profile: Profile }) {
  return (
    <>
      {!profile.complete && (
        <Badge tone="warn" title={profile.incompleteReason ?? 'ended early'}>
          Partial
        </Badge>
      )}
      {profile.snapshot?.forced && (
        <Badge tone="warn" title="Taken against the forecast">
          Forced
        </Badge>
      )}
      {profile.pinned && (
        <Badge tone="idle" title="Kept until unpinned">
          Pinned
        </Badge>
      )}
      {Object.entries(profile.labels).map(([name, value]) => (
        <span key={name} class="label">
          {value === '' ? name : `${name}: ${value}`}
        </span>
      ))}
    </>
  );
}
