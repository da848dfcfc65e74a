import { useEffect, useState } from 'preact/hooks';
import type { Profile } from '../../protocol/rest/profile.ts';
import { ApiProblem, asProblem } from '../api.ts';
import type { Api } from '../api.ts';
import { offeredProfile } from '../flame/dropped-profiles.ts';
import { FlameClient } from '../flame/flame-client.ts';
import type { Flame, OpenedProfile, ProfileSource } from '../flame/messages.ts';
import { usePage } from './page-context.ts';

export interface OpenProfile {
  readonly client: FlameClient | null;
  readonly name: string | null;
  /** null for a file of this machine. */
  readonly profile: Profile | null;
  readonly opened: OpenedProfile | null;
  readonly problem: ApiProblem | null;
  readonly again: () => void;
}

const nothing = { client: null, name: null, profile: null, opened: null, problem: null };

/** Reads a profile for as long as the component is there: the one with this id, or the `file` that was dropped. */
export function useProfile(id: string): OpenProfile {
  const { api } = usePage();
  const [attempt, setAttempt] = useState(0);
  const [read, setRead] = useState<Omit<OpenProfile, 'again'>>(nothing);
  useEffect(() => {
    setRead(nothing);
    if (id === 'file' && offeredProfile() === null) return;
    let gone = false;
    const client = new FlameClient();
    const open = async (): Promise<void> => {
      const { source, name, profile } = await sourceOf(api, id, 'open');
      if (gone) return;
      setRead((before) => ({ ...before, client, name, profile }));
      const opened = await client.ask('open', { source });
      if (!gone) setRead((before) => ({ ...before, opened }));
    };
    open().catch((error: unknown) => {
      if (!gone) setRead((before) => ({ ...before, problem: asProblem(error) }));
    });
    return () => {
      gone = true;
      client.close();
    };
  }, [api, id, attempt]);
  return { ...read, again: () => setAttempt(attempt + 1) };
}

export interface Answered<Value> {
  /** The last answer, also while the next one comes; null when nothing is asked. */
  readonly value: Value | null;
  readonly isBusy: boolean;
  readonly problem: ApiProblem | null;
}

/** What `ask` answers, anew for each `key`; null asks nothing. */
export function useAnswer<Value>(key: string | null, ask: () => Promise<Value>): Answered<Value> {
  const [answered, setAnswered] = useState<Answered<Value>>(unasked);
  useEffect(() => {
    if (key === null) return setAnswered(unasked);
    let gone = false;
    setAnswered((before) => ({ value: before.value, isBusy: true, problem: null }));
    ask().then(
      (value) => {
        if (!gone) setAnswered({ value, isBusy: false, problem: null });
      },
      (error: unknown) => {
        if (!gone) setAnswered({ value: null, isBusy: false, problem: asProblem(error) });
      },
    );
    return () => {
      gone = true;
    };
  }, [key]);
  return key === null ? unasked : answered;
}

const unasked = { value: null, isBusy: false, problem: null };

/** The tree with idle time, or of some requests only; undefined while the first one is good. */
export type OtherLayout = Answered<Flame>;

/**
 * The form that has the places of the source, where source maps know them. What the agent need not convert comes compressed, as it is stored.
 */
export async function sourceOf(
  api: Api,
  id: string,
  as: 'open' | 'against',
): Promise<{ source: ProfileSource; name: string; profile: Profile | null }> {
  if (id === 'file') {
    const file = offeredProfile(as);
    if (file === null) throw new ApiProblem({ status: 0, code: 'unknown-profile', detail: 'no file was dropped' });
    return { source: { kind: 'file', file }, name: file.name, profile: null };
  }
  const profile = await api.get<Profile>(`/profiles/${encodeURIComponent(id)}`);
  if (profile.kind === 'heap-snapshot') {
    const detail = 'this is a heap snapshot: the heap explorer opens it';
    throw new ApiProblem({ status: 0, code: 'unsupported-format', detail });
  }
  const isMapped = (profile.sourceMaps?.mapped ?? 0) > 0;
  const own = profile.kind === 'cpu' ? 'cpuprofile' : 'heapprofile';
  const { url } = await api.ticket(id, isMapped && profile.kind === 'heap-sampling' ? 'pprof' : own);
  const source = isMapped && profile.kind === 'cpu' ? '&source=original' : '';
  const samples = profile.sampling === null ? {} : { samples: profile.sampling.samples };
  return { source: { kind: 'stored', url: `${url}${source}`, ...samples }, name: profile.fileName, profile };
}
