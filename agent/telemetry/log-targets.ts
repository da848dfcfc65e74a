import type { SidescopeError } from '../../protocol/error.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { Targets } from '../attach/targets.ts';
import type { Log } from './log.ts';

/** One line when a target comes, goes, or cannot be reached for a new reason; not one per attempt. */
export function logTargets(targets: Targets, log: Log): Disposable {
  const lastMessage = new Map<string, string>();
  const onAttached = ({ id, name, identity }: Target): void => {
    lastMessage.delete(id);
    log.info({ target: id, pid: identity?.pid, node: identity?.nodeVersion }, `attached to ${name}`);
  };
  const onDetached = ({ id, name }: Target, { code, message }: SidescopeError): void => {
    log.info({ target: id, code }, `detached from ${name}: ${message}`);
  };
  const onAttemptFailed = ({ id }: Target, { code, message }: SidescopeError): void => {
    if (lastMessage.get(id) === message) return;
    lastMessage.set(id, message);
    log.warn({ target: id, code }, `waiting for the target: ${message}`);
  };
  targets.on('attached', onAttached);
  targets.on('detached', onDetached);
  const onForgotten = (id: string): void => void lastMessage.delete(id);
  targets.on('attempt-failed', onAttemptFailed);
  targets.on('forgotten', onForgotten);
  return {
    [Symbol.dispose]() {
      targets.off('attached', onAttached);
      targets.off('detached', onDetached);
      targets.off('attempt-failed', onAttemptFailed);
      targets.off('forgotten', onForgotten);
    },
  };
}
