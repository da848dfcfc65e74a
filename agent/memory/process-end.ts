import { readlink, readFile } from 'node:fs/promises';
import os from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { TargetIdentity } from '../../protocol/rest/target.ts';
import { findCgroup, type Cgroup } from '../vitals/cgroup.ts';
import { ProcessFiles } from '../vitals/process-files.ts';

/** What the kernel shows of a process that has ended. */
export type ProcessEnd =
  /** It still runs, or its exit takes longer than we wait. */
  | { readonly state: 'alive' }
  /** Gone; `status` only where its parent had not reaped it yet, and it is of our user. */
  | { readonly state: 'gone'; readonly status: ExitStatus | undefined }
  /** Not in our PID namespace. */
  | { readonly state: 'hidden' };

export type ExitStatus = { readonly exitCode: number } | { readonly signal: NodeJS.Signals | `signal ${number}` };

/** Between the cut of its connection and its end the kernel frees its memory: some milliseconds, and more for many GB. */
const waitMs = 1_500;
const pauseMs = { first: 1, most: 50 };

/** The kernel's view of one process, taken while it lives and asked again when it has ended. */
export class ProcessEndWatch {
  readonly #process: { readonly files: ProcessFiles; readonly isOurs: boolean } | undefined;
  readonly #cgroup: Cgroup | undefined;
  readonly #oomKills: number | null;

  /** Both are missing where /proc shows another PID namespace than the target's. */
  static async start(identity: TargetIdentity): Promise<ProcessEndWatch> {
    const files = await ProcessFiles.find(identity);
    if (files === undefined) return new ProcessEndWatch({ process: undefined, cgroup: undefined, oomKills: null });
    const cgroup = await findCgroup(files.directory);
    const oomKills = (await cgroup?.read())?.oomKills ?? null;
    // The exit status is shown to who may trace the process, else it reads as 0; the same right lets its executable be read.
    const isOurs = (await readlink(`${files.directory}/exe`).catch(() => undefined)) !== undefined;
    return new ProcessEndWatch({ process: { files, isOurs }, cgroup, oomKills });
  }

  private constructor(parts: {
    process: { files: ProcessFiles; isOurs: boolean } | undefined;
    cgroup: Cgroup | undefined;
    oomKills: number | null;
  }) {
    this.#process = parts.process;
    this.#cgroup = parts.cgroup;
    this.#oomKills = parts.oomKills;
  }

  /** Waits up to 1.5 s for its end. To be called as soon as the connection is gone: a status is there until the parent has read it. */
  async read(signal: AbortSignal): Promise<ProcessEnd> {
    if (this.#process === undefined) return { state: 'hidden' };
    const { files, isOurs } = this.#process;
    const startMs = performance.now();
    let status: ExitStatus | undefined;
    for (let pause = pauseMs.first; ; pause = Math.min(pause * 2, pauseMs.most)) {
      const seen = await readEnd(files.directory);
      if (isOurs && seen !== undefined && (seen.isOver || seen.status !== 0)) status = statusOf(seen.status) ?? status;
      if (seen === undefined || seen.isOver) return { state: 'gone', status };
      if (performance.now() - startMs > waitMs || signal.aborted) return { state: 'alive' };
      // The only rejection is the signal's, and the loop ends by it.
      await delay(pause, undefined, { signal }).catch(() => undefined);
    }
  }

  /** By how much the OOM kills of its cgroup rose since `before`, or since we began to watch; null where the cgroup cannot be read, or not any more. */
  async newOomKills(before: number | null): Promise<number | null> {
    const now = (await this.#cgroup?.read())?.oomKills ?? null;
    const then = before ?? this.#oomKills;
    return now === null || then === null ? null : Math.max(0, now - then);
  }
}

async function readEnd(directory: string): Promise<{ isOver: boolean; status: number } | undefined> {
  let text: string;
  try {
    text = await readFile(`${directory}/stat`, 'latin1');
  } catch {
    // Reaped.
    return undefined;
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // The 52nd field of proc_pid_stat(5): set as soon as the process begins to end.
  return { isOver: fields[0] === 'Z' || fields[0] === 'X', status: Number(fields[49]) || 0 };
}

/** As of waitpid(2). */
function statusOf(status: number): ExitStatus | undefined {
  const number = status & 0x7f;
  if (number === 0) return { exitCode: (status >> 8) & 0xff };
  const name = Object.entries(os.constants.signals).find(([, value]) => value === number)?.[0];
  return { signal: (name as NodeJS.Signals | undefined) ?? `signal ${number}` };
}
