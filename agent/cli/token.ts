import { resolve } from 'node:path';
import { mintedTokenSchema, pageLink } from '../../protocol/rest/control.ts';
import { readSmallFile } from '../options/config-file.ts';
import { resolveOptions } from '../options.ts';
import { commandHelp, readCommandLine } from './command-line.ts';
import type { CommandContext } from './command.ts';
import { ask } from './control-client.ts';
import { findAgent } from './find-agent.ts';

export const tokenShape = {
  usage: 'sidescope token [--data-dir PATH] [--json]',
  lines: [
    'Prints a token that may do everything for one hour, and the link to the page with that token in it.',
    'Asks the running agent over its local socket: run it on the same machine, or in the same container,',
    'and as the same user. It needs no network and no credential.',
  ],
  options: {
    'data-dir': {
      type: 'string',
      syntax: 'PATH',
      meaning: 'The data directory of the agent to ask, when there are several.',
    },
    json: { type: 'boolean', meaning: 'Print token, expiry, link and agent as one JSON document.' },
  },
} as const;

/** `sidescope token`. */
export async function printToken(context: CommandContext): Promise<number> {
  const { values, words, help } = readCommandLine(context.argv, tokenShape);
  if (help) {
    context.print(commandHelp(tokenShape));
    return 0;
  }
  const [word] = words;
  if (word !== undefined) {
    context.say(`sidescope token: unexpected argument ${JSON.stringify(word)}; see sidescope token --help\n`);
    return 2;
  }
  const agent = await findAgent({ named: values['data-dir'], usual: await usualDataDirectory(context.environment) });
  const minted = await ask(agent.socketPath, { method: 'POST', path: '/token', schema: mintedTokenSchema });
  const { admin } = minted.agent;
  const link = admin === null ? null : pageLink(admin.url, minted.token);
  if (values.json) {
    context.print(`${JSON.stringify({ ...minted, link })}\n`);
    return 0;
  }
  context.print(`${minted.token}\n${link === null ? '' : `${link}\n`}`);
  if (link === null) context.say('The admin port of this agent is taken: there is no page now, see its log.\n');
  context.say(`Valid until ${minted.expiresAt}.\n`);
  return 0;
}

/** Where an agent started with this environment keeps its data; how it was started besides is not to be known. */
async function usualDataDirectory(environment: CommandContext['environment']): Promise<string> {
  const { options } = await resolveOptions({ argv: [], environment, readFile: readSmallFile, isTerminal: false });
  return resolve(options.dataDir);
}
