import { AgentSection } from './agent-section.tsx';
import type { ViewProps } from './view-props.ts';

export function View({ state }: ViewProps) {
  return <AgentSection state={state} />;
}
