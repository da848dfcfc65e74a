import { namespaces } from './namespaces.ts';
import type { PodRuntime } from './pod.ts';
import { podman, podmanProblem } from './podman.ts';

/** Podman, which knows the manifest; the kernel's namespaces alone where there is none, or when `SIDESCOPE_TEST_POD=namespaces`. */
export function podRuntime(): PodRuntime {
  const problem = process.env['SIDESCOPE_TEST_POD'] === 'namespaces' ? 'asked for' : podmanProblem();
  const runtime = problem === undefined ? podman : namespaces;
  console.log(`pods are run by ${runtime.name}${problem === undefined ? '' : ` (${problem})`}`);
  return runtime;
}
