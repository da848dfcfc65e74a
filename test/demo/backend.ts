import { join } from 'node:path';
import { demoFolder, startDemoProcess } from './processes.ts';
import type { DemoProcess } from './processes.ts';

export interface BackendOptions {
  /** Whether the load generator runs. */
  readonly load: boolean;
  /** Added to the shop's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface Backend extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly shopUrl: string;
  readonly shopPid: number;
  readonly inspectorAddress: string;
  readonly databaseAddress: string;
  readonly processes: readonly DemoProcess[];
}

/** Starts database, shop (with its inspector open on a free port) and load, each when the one before is ready. */
export async function startBackend({ load, env = {}, signal }: BackendOptions): Promise<Backend> {
  await using stack = new AsyncDisposableStack();
  const start = (options: Parameters<typeof startDemoProcess>[0]): DemoProcess => stack.use(startDemoProcess(options));

  const database = start({ name: 'database', args: [join(demoFolder, 'database.ts')] });
  const { address: databaseAddress } = await database.ready<{ address: string }>(signal);

  const shop = start({
    name: 'shop',
    args: [join(demoFolder, 'shop', 'main.ts')],
    // `http` alone: without the line about where the debugger listens, which the overview says better.
    execArgv: ['--inspect=127.0.0.1:0', '--inspect-publish-uid=http'],
    // npm's own name would be this repository's.
    env: { npm_package_name: 'shop', npm_package_version: '1.0.0', ...env, DATABASE_ADDRESS: databaseAddress },
  });
  const { address, inspectorUrl } = await shop.ready<{ address: string; inspectorUrl: string }>(signal);
  const shopUrl = `http://${address}`;

  const processes = [database, shop];
  if (load) {
    const users = start({ name: 'load', args: [join(demoFolder, 'load.ts'), shopUrl] });
    await users.ready(signal);
    processes.push(users);
  }
  const started = stack.move();
  return {
    shopUrl,
    shopPid: shop.pid,
    inspectorAddress: new URL(inspectorUrl).host,
    databaseAddress,
    processes,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}
