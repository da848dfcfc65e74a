// Builds dist/: the agent as one bundle per entry, the page, and the licences of what is in them.
//   node .tools/build.ts [--when-stale]
// Several may run at once: they take turns, and with --when-stale the later ones find the work done.
import { isFresh, sourceDigest, writeStamp } from './build/stamp.ts';

const root = new URL('..', import.meta.url).pathname;
const whenStale = process.argv.includes('--when-stale');

if (!(whenStale && isFresh(root))) await build();

async function build(): Promise<void> {
  // Loaded here, so that finding everything fresh takes no longer than starting Node.
  const { takeBuildLock } = await import('./build/lock.ts');
  using _lock = takeBuildLock(root);
  if (whenStale && isFresh(root)) return;

  const startedAtMs = performance.now();
  const { bundleAgent } = await import('./build/bundle-agent.ts');
  const { buildPage } = await import('./build/build-page.ts');
  const { writeLicences } = await import('./build/licences.ts');

  // Before the sources are read: a change made meanwhile leaves the stamp stale.
  const digest = sourceDigest(root);
  const agent = await bundleAgent(root);
  const page = await buildPage(root);
  const licences = await writeLicences({ root, modules: [...agent.modules, ...page.modules] });
  writeStamp({ root, digest, outputs: [...agent.files, ...page.files, licences.file] });

  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
  console.log(
    `built dist/ in ${seconds} s: agent ${kilobytes(agent.sizeBytes)}, page ${kilobytes(page.sizeBytes)}, ` +
      `licences of ${licences.packages} packages`,
  );
}

function kilobytes(sizeBytes: number): string {
  return `${Math.round(sizeBytes / 1000)} kB`;
}
