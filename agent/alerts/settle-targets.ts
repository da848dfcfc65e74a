import type { SidescopeError } from '../../protocol/error.ts';
import type { Target } from '../../protocol/rest/target.ts';
import type { Alerts } from './alerts.ts';

interface TargetSource {
  on(event: 'detached', listener: (target: Target, reason: SidescopeError) => void): unknown;
  off(event: 'detached', listener: (target: Target, reason: SidescopeError) => void): unknown;
}

/** What was wrong in a target ends with it; if it is back and has it again within a minute, the episode goes on. */
export function settleTargets(targets: TargetSource, alerts: Pick<Alerts, 'settleTarget'>): Disposable {
  const onDetached = ({ id }: Target, { message }: SidescopeError): void =>
    alerts.settleTarget(id, `the target was lost: ${message}`);
  targets.on('detached', onDetached);
  return { [Symbol.dispose]: () => void targets.off('detached', onDetached) };
}
