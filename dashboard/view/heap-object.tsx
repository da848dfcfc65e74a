import { useEffect, useState } from 'preact/hooks';
import type { HeapField, HeapObject, Listed } from '../../protocol/heap-snapshot/explore.ts';
import { ApiProblem } from '../api.ts';
import { formatBytes, formatCount } from '../format.ts';
import type { HeapClient } from '../heap/heap-client.ts';
import { Command, Facts, ProblemNote } from './parts.tsx';
import { useHeapAnswer } from './use-heap-answer.ts';

/** One object: the way to it, what it refers to, and who holds it. */
export function HeapObjectView(props: { client: HeapClient; id: number; onObject: (id: number) => void }) {
  const { client, id, onObject } = props;
  const { detail, problem } = useHeapAnswer(client, id, () => client.ask('object', { id }));
  if (detail === null) return <ProblemNote problem={problem} />;
  const { object, way, omittedSteps, path } = detail;
  return (
    <article class="card heap-object" aria-label={`Object @${object.id}`}>
      <header>
        <h3>
          <ObjectName object={object} />
        </h3>
      </header>
      <Facts
        rows={[
          ['Class', <bdi key="class">{object.className}</bdi>],
          ['Kind', object.type],
          ['Self', formatBytes(object.selfBytes)],
          ['Retained', formatBytes(object.retainedBytes)],
        ]}
      />
      <div>
        <h4>Shortest way to it</h4>
        <Command text={path} />
        <ol class="way">
          {omittedSteps > 0 && <li class="dim">{formatCount(omittedSteps)} steps before these</li>}
          {way.map((step) => (
            <li key={step.object.node}>
              <code>
                <bdi>{step.edge}</bdi>
              </code>{' '}
              <ObjectLink object={step.object} onObject={onObject} />
            </li>
          ))}
        </ol>
      </div>
      <div class="trees">
        <div>
          <h4>Its fields</h4>
          <Branch client={client} node={object.node} side="fields" onObject={onObject} />
        </div>
        <div>
          <h4>Who holds it</h4>
          <Branch client={client} node={object.node} side="retainers" onObject={onObject} />
        </div>
      </div>
    </article>
  );
}

/** What is below one object of a tree: a hundred at a time. */
function Branch(props: {
  client: HeapClient;
  node: number;
  side: 'fields' | 'retainers';
  onObject: (id: number) => void;
}) {
  const { client, node, side, onObject } = props;
  const [list, setList] = useState<Listed | null>(null);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const read = (before: readonly HeapField[], isGone: () => boolean): void => {
    client.ask(side, { node, offset: before.length }).then(
      ({ total, fields }) => {
        if (!isGone()) setList({ total, fields: [...before, ...fields] });
      },
      (error: unknown) => {
        if (!isGone() && error instanceof ApiProblem) setProblem(error);
      },
    );
  };
  useEffect(() => {
    let gone = false;
    setList(null);
    read([], () => gone);
    return () => {
      gone = true;
    };
  }, [client, node, side]);
  if (problem !== null) return <ProblemNote problem={problem} />;
  if (list === null) return <p class="hint">Reading…</p>;
  if (list.total === 0) return <p class="hint">{side === 'fields' ? 'It refers to nothing.' : 'Nothing holds it.'}</p>;
  const left = list.total - list.fields.length;
  return (
    <ul class="tree">
      {list.fields.map((field, index) => (
        <Field key={`${field.node} ${index}`} client={client} field={field} side={side} onObject={onObject} />
      ))}
      {left > 0 && (
        <li>
          <button type="button" class="quiet" onClick={() => read(list.fields, () => false)}>
            {formatCount(left)} more
          </button>
        </li>
      )}
    </ul>
  );
}

function Field(props: {
  client: HeapClient;
  field: HeapField;
  side: 'fields' | 'retainers';
  onObject: (id: number) => void;
}) {
  const { client, field, side, onObject } = props;
  const [isOpen, setOpen] = useState(false);
  return (
    <li>
      <div class="field-row">
        <button
          type="button"
          class="quiet fold"
          aria-expanded={isOpen}
          aria-label={`${side === 'fields' ? 'Fields' : 'Holders'} of @${field.id}`}
          onClick={() => setOpen(!isOpen)}
        >
          <span aria-hidden="true">{isOpen ? '▾' : '▸'}</span>
        </button>
        <code class={field.isHolding ? '' : 'dim'}>
          <bdi>{field.edge}</bdi>
        </code>
        <ObjectLink object={field} onObject={onObject} />
        {!field.isHolding && <span class="dim">holds nothing ({field.edgeType})</span>}
        <span class="num dim">{formatBytes(field.retainedBytes)}</span>
      </div>
      {isOpen && <Branch client={client} node={field.node} side={side} onObject={onObject} />}
    </li>
  );
}

export function ObjectLink({ object, onObject }: { object: HeapObject; onObject: (id: number) => void }) {
  return (
    <button type="button" class="link" onClick={() => onObject(object.id)}>
      <ObjectName object={object} />
    </button>
  );
}

function ObjectName({ object: { className, name, id, type } }: { object: HeapObject }) {
  const text = type.endsWith('string') ? JSON.stringify(name) : name;
  return (
    <>
      <bdi class="object-name">{text === className || text === '' ? className : `${className} ${text}`}</bdi>{' '}
      <span class="dim">@{id}</span>
    </>
  );
}
