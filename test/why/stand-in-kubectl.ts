// Stands in for kubectl and a cluster with one pod: `debug` runs the command here, `get` and `logs` tell of it.
//   node stand-in-kubectl.ts FOLDER …kubectl's arguments
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder = '', ...argv] = process.argv.slice(2);
const file = (name: string): string => join(folder, name);
const verb = argv.find((word) => !word.startsWith('-')) ?? '';
const value = (flag: string): string | undefined => argv.find((word) => word.startsWith(`--${flag}=`))?.split('=')[1];
const custom = value('custom');
const call = { argv, ...(custom !== undefined && { custom: JSON.parse(readFileSync(custom, 'utf8')) as unknown }) };
appendFileSync(file('calls'), `${JSON.stringify(call)}\n`);

switch (verb) {
  case 'get': {
    const pod = JSON.parse(readFileSync(file('pod.json'), 'utf8')) as Record<string, unknown>;
    const started = existsSync(file('container')) ? readFileSync(file('container'), 'utf8') : undefined;
    const statuses = started === undefined ? [] : [{ name: started, state: { terminated: { exitCode: 0 } } }];
    console.log(JSON.stringify({ ...pod, status: { ephemeralContainerStatuses: statuses } }));
    break;
  }
  case 'debug': {
    const [command = '', ...words] = argv.slice(argv.indexOf('--') + 1);
    const { stdout, stderr } = spawnSync(command, words, { encoding: 'utf8' });
    writeFileSync(file('log'), stderr + stdout);
    writeFileSync(file('container'), value('container') ?? '');
    break;
  }
  case 'logs':
    process.stdout.write(readFileSync(file('log'), 'utf8'));
    break;
  case 'exec':
    if (!existsSync(file('has-id'))) {
      console.error('exec: "id": executable file not found in $PATH');
      process.exitCode = 1;
    } else console.log(argv.at(-1) === '-u' ? 4001 : 4002);
    break;
  default:
    throw new Error(`no verb ${verb} here`);
}
