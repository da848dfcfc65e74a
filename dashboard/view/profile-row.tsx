import { useState } from 'preact/hooks';
import type { Profile } from '../../protocol/rest/profile.ts';
import { formatBytes, formatDuration } from '../format.ts';
import { kindWords, profileSummary } from '../model/words.ts';
import { downloadProfile, openInSpeedscope } from '../open-profile.ts';
import { useAction, usePage } from './page-context.ts';
import { Badge, ProblemNote, Time } from './parts.tsx';
import { ProfileDetails } from './profile-details.tsx';

const columns = 8;

export function ProfileRow({ profile, nowMs }: { profile: Profile; nowMs: number }) {
  const { api } = usePage();
  const action = useAction();
  const [open, setOpen] = useState(false);
  const detailsId = `details-${profile.id}`;
  return (
    <>
      <tr id={`profile-${profile.id}`} class={open ? 'open' : undefined}>
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
            <button
              type="button"
              disabled={action.busy}
              title="Open in speedscope, served by this agent: the profile does not leave the machine"
              onClick={() => action.run(() => openInSpeedscope(api, profile))}
            >
              Open in speedscope
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
