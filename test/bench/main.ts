// `npm run bench [-- name ...] [--json] [--quick]`: runs test/bench/<name>.bench.ts one after the other, by default all
// but those that watch for an hour.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import type { Bench, BenchTable } from './support.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
});
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => stop.abort(new Error(`stopped by ${name}`)));

/** Only by their names. */
const hourLong = new Set(['page', 'soak']);

const results: { name: string; tables: readonly BenchTable[]; error?: string }[] = [];
for (const name of chooseBenches(positionals)) {
  if (stop.signal.aborted) break;
  if (!options.json) console.log(`\n# ${name}`);
  results.push(await runBench(name));
}
if (options.json) console.log(JSON.stringify({ machine: machine(), results }, undefined, 2));
else
  console.log(
    `\n${Object.entries(machine())
      .map(([name, value]) => `${name}: ${value}`)
      .join('; ')}`,
  );
if (results.some(({ error }) => error !== undefined) || stop.signal.aborted) process.exitCode = 1;

function chooseBenches(names: readonly string[]): string[] {
  const all = readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith('.bench.ts'))
    .map((file) => file.slice(0, -'.bench.ts'.length))
    .sort();
  const unknown = names.filter((name) => !all.includes(name));
  if (unknown.length === 0) return names.length === 0 ? all.filter((name) => !hourLong.has(name)) : [...names];
  console.error(`no bench named ${unknown.join(', ')}; there are: ${all.join(', ')}`);
  process.exit(2);
}

async function runBench(name: string): Promise<(typeof results)[number]> {
  try {
    const { bench } = (await import(`./${name}.bench.ts`)) as { bench: Bench };
    const tables = await bench({ quick: options.quick, signal: stop.signal });
    if (!options.json) tables.forEach(printTable);
    return { name, tables };
  } catch (error) {
    // One that cannot measure must not hide the others; the exit code tells.
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    console.error(`${name} failed: ${message}`);
    return { name, tables: [], error: message };
  }
}

function printTable({ title, note, rows }: BenchTable): void {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = [columns, ...rows.map((row) => columns.map((column) => String(row[column] ?? '')))];
  const widths = columns.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  console.log(`\n${title}`);
  for (const row of cells)
    console.log(
      `  ${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}`,
    );
  console.log(`  (${note})`);
}

function machine(): Record<string, string> {
  return {
    processor: `${cpus()[0]?.model.trim() ?? 'unknown'}, ${cpus().length} cores seen`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    node: process.version,
    commit: commit(),
    date: new Date().toISOString().slice(0, 16),
  };
}

function commit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    // A tree without git measures as well.
    return 'unknown';
  }
}
