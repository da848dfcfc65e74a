import { useEffect, useState } from 'preact/hooks';
import type { Profile } from '../../protocol/rest/profile.ts';
import { ApiProblem, asProblem } from '../api.ts';
import type { Api } from '../api.ts';
import { offeredFile } from '../heap/dropped-file.ts';
import { HeapClient } from '../heap/heap-client.ts';
import type { Comparison, Overview, Progress, SnapshotSource } from '../heap/messages.ts';
import { usePage } from './page-context.ts';

export interface OpenedHeap {
  readonly client: HeapClient | null;
  readonly name: string | null;
  readonly overview: Overview | null;
  readonly progress: Progress | null;
  readonly problem: ApiProblem | null;
  readonly again: () => void;
}

const nothing = { name: null, overview: null, progress: null, problem: null };

/** Reads and analyses a snapshot for as long as the component is there: the profile with this id, or the `file` that was dropped. */
export function useHeap(id: string): OpenedHeap {
  const { api } = usePage();
  const [attempt, setAttempt] = useState(0);
  const [client, setClient] = useState<HeapClient | null>(null);
  const [read, setRead] = useState<Omit<OpenedHeap, 'client' | 'again'>>(nothing);
  useEffect(() => {
    setRead(nothing);
    if (id === 'file' && offeredFile() === null) return;
    let gone = false;
    const own = new HeapClient((progress) => {
      if (!gone) setRead((before) => ({ ...before, progress }));
    });
    setClient(own);
    const open = async (): Promise<void> => {
      const { source, name } = await sourceOf(api, id);
      if (gone) return;
      setRead((before) => ({ ...before, name }));
      const overview = await own.ask('open', { source });
      if (!gone) setRead((before) => ({ ...before, overview, progress: null }));
    };
    open().catch((error: unknown) => {
      if (!gone) setRead((before) => ({ ...before, problem: asProblem(error) }));
    });
    return () => {
      gone = true;
      own.close();
      setClient(null);
    };
  }, [api, id, attempt]);
  return { client, ...read, again: () => setAttempt(attempt + 1) };
}

export interface ComparedHeap {
  readonly comparison: Comparison | null;
  readonly progress: Progress | null;
  readonly problem: ApiProblem | null;
  readonly isReading: boolean;
  readonly stop: () => void;
  /** Another snapshot of the same process, from this machine. */
  readonly withFile: (file: File) => void;
}

/** Compares with the profile `against`, or a file, when there is one; and with `third`, where it is another one. */
export function useComparison(
  client: HeapClient,
  { against, third }: { against: string | undefined; third: string | undefined },
): ComparedHeap {
  const { api } = usePage();
  const [file, setFile] = useState<File | null>(null);
  const [state, setState] = useState<Pick<ComparedHeap, 'comparison' | 'progress' | 'problem' | 'isReading'>>(idle);
  useEffect(() => {
    setState(idle);
    if (against === undefined && file === null) return;
    let gone = false;
    setState({ ...idle, isReading: true });
    const stopListening = client.onProgress((progress) => setState((before) => ({ ...before, progress })));
    const compare = async (): Promise<void> => {
      const ids = [file === null ? against : undefined, third].filter((id) => id !== undefined);
      const stored = await Promise.all([...new Set(ids)].map((id) => sourceOf(api, id)));
      const sources = stored.toSorted((a, b) => a.atMs - b.atMs).map(({ source }) => source);
      if (gone) return;
      const comparison = await client.ask('compare', {
        sources: file === null ? sources : [{ kind: 'file', file }, ...sources],
      });
      if (!gone) setState({ ...idle, comparison });
    };
    compare().catch((error: unknown) => {
      if (!gone) setState({ ...idle, problem: asProblem(error) });
    });
    return () => {
      gone = true;
      stopListening();
      client.cancel();
    };
  }, [api, client, against, third, file]);
  return { ...state, stop: () => client.cancel(), withFile: setFile };
}

const idle = { comparison: null, progress: null, problem: null, isReading: false };

async function sourceOf(api: Api, id: string): Promise<{ source: SnapshotSource; name: string; atMs: number }> {
  if (id === 'file') {
    const file = offeredFile();
    if (file === null) throw new ApiProblem({ status: 0, code: 'unknown-profile', detail: 'no file was dropped' });
    return { source: { kind: 'file', file }, name: file.name, atMs: 0 };
  }
  const [profile, { url }] = await Promise.all([
    api.get<Profile>(`/profiles/${encodeURIComponent(id)}`),
    api.ticket(id, 'heapsnapshot'),
  ]);
  const source = { kind: 'stored', url, sizeBytes: profile.sizeBytes } as const;
  return { source, name: profile.fileName, atMs: Date.parse(profile.startedAt) };
}
