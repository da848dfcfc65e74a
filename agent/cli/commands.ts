import type { Command } from './command.ts';

/** The commands beside the agent itself. Their code is loaded when one is called: the agent's start does not pay for it. */
export const commands = {
  why: {
    summary: 'Say what a Node.js process is doing, also when it is stuck and was never prepared: `sidescope why PID`.',
    load: async (): Promise<Command> => (await import('./why.ts')).explainProcess,
  },
  token: {
    summary: 'Print a token for one hour, and the link to the page with it; run beside the agent, as its user.',
    load: async (): Promise<Command> => (await import('./token.ts')).printToken,
  },
  open: {
    summary: 'Open the page of an agent in a pod: port-forward, token, browser; run where kubectl reaches the cluster.',
    load: async (): Promise<Command> => (await import('./open.ts')).openPod,
  },
  pods: {
    summary: 'List the pods of a workload with what their agents say: target, health, last alert.',
    load: async (): Promise<Command> => (await import('./pods.ts')).listPods,
  },
  capture: {
    summary: 'Profile many pods at once, or a share of them, into one pprof file: `sidescope capture -l app=shop`.',
    load: async (): Promise<Command> => (await import('./capture.ts')).captureFleet,
  },
  compare: {
    summary: 'Compare the old and the new version of a Deployment while it rolls out: functions, latency, memory.',
    load: async (): Promise<Command> => (await import('./compare.ts')).compareVersions,
  },
  heap: {
    summary:
      'Read heap snapshots from files: what holds the memory, what grew, who holds a class; take the secrets out.',
    load: async (): Promise<Command> => (await import('./heap.ts')).analyseHeapFiles,
  },
  cpu: {
    summary: 'Read CPU profiles from files: the hottest functions, and what changed between two.',
    load: async (): Promise<Command> => (await import('./cpu.ts')).analyseCpuFiles,
  },
} as const satisfies Readonly<Record<string, { summary: string; load: () => Promise<Command> }>>;

export function isCommand(word: string): word is keyof typeof commands {
  return Object.hasOwn(commands, word);
}
