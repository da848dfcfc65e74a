import type { JsonObject } from '../render.ts';

export interface ExecResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A pod as the kubelet would run it: containers apart from each other, with one network. */
export interface Pod extends AsyncDisposable {
  /** In the kubelet's order, each when the test says so; from then on it is started again whenever it ends. */
  start(container: string): Promise<void>;
  /** As `kubectl exec` does: in the container, as its user. */
  exec(container: string, command: readonly string[]): Promise<ExecResult>;
  /** What a program of this machine runs, before the container's own command, to do the same. */
  execCommand(container: string): { readonly command: readonly string[]; readonly environment: NodeJS.ProcessEnv };
  /** Of the container's first process, as this machine sees it. Rejects while it does not run. */
  pid(container: string): Promise<number>;
  /** Everything that it wrote, of earlier runs too. */
  logs(container: string): Promise<string>;
  /** SIGTERM, then SIGKILL after the grace period; it is not started again. Gives the exit code. */
  stop(container: string, graceSeconds: number): Promise<number>;
  /** A process in the pod's network namespace. */
  readonly networkPid: number;
}

export interface PodOptions {
  /** Of the rendered overlay. */
  readonly deployment: JsonObject;
  /** Beside what the manifest sets, for the sidecar. */
  readonly sidecarEnvironment?: Readonly<Record<string, string>>;
  /** Content of the Secret that the manifest mounts. */
  readonly tokens?: string;
}

export interface PodRuntime {
  readonly name: string;
  /** Whether the containers have a seccomp profile. */
  readonly hasSeccomp: boolean;
  /** Builds what the pods run; before the first of them. */
  prepare(): Promise<void>;
  openPod(options: PodOptions): Promise<Pod>;
}
