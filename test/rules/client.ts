import { apiPath } from '../../protocol/rest/routes.ts';
import type { RunningAgent } from '../support/agent.ts';

/** `await call<Rules>('GET /rules')`. */
export function clientOf({ url, token }: Pick<RunningAgent, 'url' | 'token'>) {
  return async <Value>(line: string): Promise<Value> => {
    const [method = 'GET', path] = line.split(' ');
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`${url}${apiPath}${path}`, { method, headers });
    if (!answer.ok) throw new Error(`${line}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Value;
  };
}
