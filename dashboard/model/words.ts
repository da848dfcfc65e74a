import type { Operation, OperationKind } from '../../protocol/rest/operation.ts';
import type { Profile } from '../../protocol/rest/profile.ts';
import type { Target } from '../../protocol/rest/target.ts';
import { formatAgo, formatElapsed, plural } from '../format.ts';
import type { PageState } from './page-state.ts';

/** How a state looks: always beside its word, as colour alone says nothing to many readers. */
export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'idle';

export interface Status {
  readonly tone: Tone;
  readonly label: string;
  readonly sentence: string;
  /** The code of the failure behind it, for its remedy. */
  readonly code: string | null;
}

export const kindWords: Readonly<Record<OperationKind, string>> = {
  cpu: 'CPU profile',
  'heap-snapshot': 'Heap snapshot',
  'heap-sampling': 'Heap sampling',
  'leak-search': 'Leak search',
  'heap-analysis': 'Heap analysis',
};

export function targetStatus(target: Target, nowMs: number): Status {
  const { state } = target;
  switch (state.state) {
    case 'connecting': {
      const next = state.nextAttemptAt === null ? '' : `, next ${until(state.nextAttemptAt, nowMs)}`;
      const failure = state.lastFailure === null ? '' : ` ${sentence(state.lastFailure.message)}`;
      return {
        tone: state.attempts > 1 ? 'warn' : 'busy',
        label: 'Connecting',
        sentence: `${plural(state.attempts, 'attempt')}${next}.${failure}`,
        code: state.lastFailure?.code ?? null,
      };
    }
    case 'attached':
      return {
        tone: 'good',
        label: 'Attached',
        sentence: `Attached for ${formatElapsed(nowMs - Date.parse(state.since))}.`,
        code: null,
      };
    case 'standby':
      return {
        tone: 'good',
        label: 'Standing by',
        sentence: 'Its inspector is closed, and opens for a capture. Vitals and stalls are not watched meanwhile.',
        code: null,
      };
    case 'waiting-for-exit':
      return {
        tone: 'busy',
        label: 'Exiting',
        sentence: 'The process is ending: what runs is saved, then Sidescope lets go.',
        code: null,
      };
    case 'detached':
      return {
        tone: 'warn',
        label: 'Detached',
        sentence: `${formatAgo(nowMs - Date.parse(state.since))}: ${sentence(state.reason.message)} The agent attaches again when it is back.`,
        // Its remedy is for who asked for a capture: here there is nothing to do.
        code: state.reason.code === 'target-gone' ? null : state.reason.code,
      };
  }
}

export function operationStatus(operation: Operation): Status {
  const code = operation.error?.code ?? null;
  const message = operation.error === null ? '' : sentence(operation.error.message);
  switch (operation.state) {
    case 'queued': {
      const place = operation.queuePosition === null ? '' : ` Place ${operation.queuePosition} in the queue.`;
      return { tone: 'idle', label: 'Queued', sentence: `Starts when the capture before it has ended.${place}`, code };
    }
    case 'running':
      return { tone: 'busy', label: 'Running', sentence: sentence(operation.progress.phase), code };
    case 'succeeded':
      return { tone: 'good', label: 'Done', sentence: plural(operation.profileIds.length, 'profile') + ' kept.', code };
    case 'partial':
      return { tone: 'warn', label: 'Partial', sentence: message || 'Ended early; what was there is kept.', code };
    case 'cancelled': {
      const kept = operation.profileIds.length > 0 ? 'What was sampled is kept.' : 'Nothing was kept.';
      return { tone: 'idle', label: 'Cancelled', sentence: kept, code };
    }
    case 'failed':
      return { tone: 'bad', label: 'Failed', sentence: message, code };
  }
}

/** The first line of the page: what is going on, in one sentence, and what to do about it. */
export function headline(state: PageState, activeCount: number): { tone: Tone; text: string } {
  if (state.connection.state === 'reconnecting') {
    return { tone: 'warn', text: 'No connection to the agent: what stands below is from before.' };
  }
  const attached = state.targets.filter(isReady);
  const [only] = state.targets;
  if (only === undefined) {
    return { tone: 'warn', text: 'No target is configured. Start the agent with --target host:port.' };
  }
  if (attached.length === 0) {
    const text = state.targets.length === 1 ? `${only.name} is not attached.` : 'No target is attached.';
    return { tone: 'warn', text: `${text} The agent keeps trying; the card below says what it met.` };
  }
  const who =
    state.targets.length === 1
      ? `${only.name} ${only.state.state === 'standby' ? 'stands by' : 'is attached'}`
      : `${attached.length} of ${plural(state.targets.length, 'target')} attached`;
  if (activeCount > 0) return { tone: 'busy', text: `${who}; ${plural(activeCount, 'capture')} under way.` };
  const next = state.profiles.total === 0 ? ' A CPU profile of 30 seconds is a good first look.' : '';
  return { tone: 'good', text: `${who} and nothing is being captured.${next}` };
}

/** Why nothing can be started on the target now; null when it can. */
export function startObstacle(state: PageState, target: Target | undefined, scope: 'capture' | 'heap'): string | null {
  if (target === undefined) return 'There is no target.';
  if (state.connection.state !== 'live') return 'The page has no connection to the agent now.';
  const scopes = state.info?.you.scopes ?? [];
  if (!scopes.includes('admin') && !scopes.includes(scope)) {
    return `Your token lacks the scope “${scope}”: it has ${scopes.join(', ') || 'none'}.`;
  }
  if (!isReady(target)) {
    return `${target.name} is not attached (${targetWord(target)}); the agent keeps trying.`;
  }
  if (state.storage === null) return 'Storage is off, so a profile could not be kept. See “Agent” below.';
  return null;
}

/** A capture can start: it is attached, or will be for the capture. */
function isReady({ state }: Target): boolean {
  return state.state === 'attached' || state.state === 'standby';
}

export function profileSummary(profile: Profile): string {
  if (profile.cpu !== null) return profile.cpu.topFunction ?? 'idle: no function stood out';
  if (profile.sampling !== null) return profile.sampling.topSite ?? 'nothing stood out';
  const objects = profile.snapshot?.nodes ?? null;
  return objects === null ? '' : plural(objects, 'object');
}

function targetWord(target: Target): string {
  return target.state.state === 'waiting-for-exit' ? 'exiting' : target.state.state;
}

function until(iso: string, nowMs: number): string {
  const leftMs = Date.parse(iso) - nowMs;
  return leftMs < 1000 ? 'now' : `in ${Math.ceil(leftMs / 1000)} s`;
}

/** Messages of the agent begin small and have no full stop. */
export function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return first === '' || /[.!?…]$/.test(first) ? first : `${first}.`;
}
