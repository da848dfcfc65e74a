// CycloneDX of the packages that the bundle is made from, on stdout: node deploy/image/sbom.ts
import { spawnSync } from 'node:child_process';
import { root } from './buildah.ts';

interface Component {
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
}

export interface Sbom {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

if (import.meta.main) console.log(JSON.stringify(softwareBillOfMaterials(), undefined, 2));

/** As npm reads it from the lock file, without what only development needs. */
export function softwareBillOfMaterials(): Sbom {
  const { stdout, status, stderr } = spawnSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`npm sbom failed: ${stderr}`);
  const everything = JSON.parse(stdout) as Sbom;
  // npm's own --omit=dev also loses what development needs as well (yaml: vite's peer).
  const components = everything.components.filter(
    ({ properties = [] }) => !properties.some(({ name }) => name === 'cdx:npm:package:development'),
  );
  const own = everything.metadata.component;
  const kept = new Set([own['bom-ref'], ...components.map((component) => component['bom-ref'])]);
  const dependencies = everything.dependencies
    .filter(({ ref }) => kept.has(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((other) => kept.has(other)) }));
  // npm takes the name of the directory.
  const metadata = { ...everything.metadata, component: { ...own, name: 'sidescope' } };
  return { ...everything, metadata, components, dependencies };
}
