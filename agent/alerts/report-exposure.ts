import type { Target } from '../../protocol/rest/target.ts';
import type { AlertDesk } from './condition.ts';

interface TargetSource {
  on(event: 'attached', listener: (target: Target) => void): unknown;
  off(event: 'attached', listener: (target: Target) => void): unknown;
  exposure(): readonly { readonly id: string; readonly isExposed: boolean }[];
}

/** An inspector that listens beyond loopback as an alert: it asks nobody for a credential. Over when the target is. */
export function reportExposure(targets: TargetSource, desk: AlertDesk): Disposable {
  const onAttached = ({ id, name, warnings }: Target): void => {
    if (!targets.exposure().some((one) => one.id === id && one.isExposed)) return;
    desk.raise({
      problem: 'inspector-exposed',
      targetId: id,
      severity: 'critical',
      title: `${name}: its inspector is open to the network`,
      text: `${warnings[0] ?? ''}. Start it with --inspect=127.0.0.1:9229, or without a flag and let the agent open it.`,
    });
  };
  targets.on('attached', onAttached);
  return { [Symbol.dispose]: () => void targets.off('attached', onAttached) };
}
