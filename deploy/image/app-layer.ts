// Puts dist/ together as the image's layer and prints its directory: node deploy/image/app-layer.ts
import { chmodSync, cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory, root } from './buildah.ts';

if (import.meta.main) console.log(appLayerDirectory());

/**
 * Puts together what the image adds to its base: the bundle under /app, and a `sidescope` command, as
 * `kubectl exec POD -c sidescope -- sidescope token` has no shell to find it with. Gives the directory.
 */
export function appLayerDirectory(): string {
  const directory = join(cacheDirectory, 'app');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(directory, 'app'), { recursive: true });
  for (const name of ['agent', 'page', 'THIRD-PARTY-LICENSES']) {
    cpSync(join(root, 'dist', name), join(directory, 'app', name), {
      recursive: true,
      // Half of the layer, and nothing reads them: the bundle is not minified.
      filter: (source) => !source.endsWith('.map'),
    });
  }
  cpSync(join(root, 'LICENSE'), join(directory, 'app/LICENSE'));
  mkdirSync(join(directory, 'usr/local/bin'), { recursive: true });
  writeFileSync(
    join(directory, 'usr/local/bin/sidescope'),
    "#!/nodejs/bin/node --disable-sigusr1\nimport('/app/agent/main.mjs');\n",
  );
  plainModes(directory);
  chmodSync(join(directory, 'usr/local/bin/sidescope'), 0o755);
  return directory;
}

/** Whatever the builder's umask is, the image is the same. */
export function plainModes(directory: string): void {
  chmodSync(directory, 0o755);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) plainModes(path);
    else if (entry.isFile()) chmodSync(path, 0o644);
  }
}
