import type { Feature } from '../../protocol/rest/info.ts';
import { formatBytes, formatElapsed } from '../format.ts';
import type { PageState } from '../model/page-state.ts';
import type { Tone } from '../model/words.ts';
import { useNow, usePage } from './page-context.ts';
import { Badge, Facts, Marked } from './parts.tsx';

const tones: Readonly<Record<Feature['state'], Tone>> = { on: 'good', off: 'idle', failed: 'bad' };

export function AgentSection({ state }: { state: PageState }) {
  const { info } = state;
  const { signOut } = usePage();
  const nowMs = useNow(state.clockOffsetMs, 5000);
  if (info === null) return null;
  return (
    <section id="agent" aria-labelledby="agent-title">
      <h2 id="agent-title">Agent</h2>
      <div class="cards two">
        <article class="card">
          <h3>This agent</h3>
          <Facts
            rows={[
              ['Version', `${info.version} on Node ${info.nodeVersion.replace(/^v/, '')}`],
              ['Process', `pid ${info.pid}, ${formatBytes(info.memory.rssBytes)} of memory`],
              ['Up', formatElapsed(nowMs - Date.parse(info.startedAt))],
              ['Stops by itself', info.endsAt && `in ${formatElapsed(Date.parse(info.endsAt) - nowMs)}`],
              ['Runs in', whereabouts(info.environment)],
              ['Admin address', info.listeners.admin],
              ['Ops address', info.listeners.ops],
              ['Local socket', info.listeners.control],
              ['You are', `${info.you.name} (${info.you.scopes.join(', ')})`],
              ['Token ends', info.you.expiresAt && `in ${formatElapsed(Date.parse(info.you.expiresAt) - nowMs)}`],
            ]}
          />
          <p>
            <button type="button" onClick={signOut}>
              Use another token
            </button>
          </p>
          <details>
            <summary>Options in effect</summary>
            <table class="options">
              <tbody>
                {info.options.map((option) => (
                  <tr key={option.name}>
                    <th scope="row">
                      <code>{option.name}</code>
                    </th>
                    <td>
                      <code>{option.value}</code>
                    </td>
                    <td class="dim">{option.source}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </details>
        </article>
        <article class="card">
          <h3>What is on</h3>
          <ul class="features">
            {info.features.map((feature) => (
              <li key={feature.name}>
                <Badge tone={tones[feature.state]}>{feature.state}</Badge> <strong>{feature.name}</strong>
                {feature.reason !== null && (
                  <p>
                    <Marked text={feature.reason} />
                  </p>
                )}
                {feature.remedy !== null && (
                  <p class="remedy">
                    <Marked text={feature.remedy} />
                  </p>
                )}
              </li>
            ))}
          </ul>
        </article>
      </div>
    </section>
  );
}

/** As the downward API told it: `prod/shop-7c9f, container sidescope, on node-1`. */
function whereabouts({ namespace, pod, container, node }: Readonly<Record<string, string>>): string {
  const name = [namespace, pod].filter(Boolean).join('/');
  return [name, container && `container ${container}`, node && `on ${node}`].filter(Boolean).join(', ');
}
