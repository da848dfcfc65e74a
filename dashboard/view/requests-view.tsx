import '../style/requests.css';
import { RequestsSection } from './requests-section.tsx';
import type { ViewProps } from './view-props.ts';

export function View({ state, address }: ViewProps) {
  return <RequestsSection state={state} query={address.query} />;
}
