import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ApiProblem } from '../api.ts';
import { remedyFor } from '../api.ts';
import { formatTime, formatUtc } from '../format.ts';
import type { Tone } from '../model/words.ts';

export function Badge({ tone, children, title }: { tone: Tone; children: ComponentChildren; title?: string }) {
  return (
    <span class={`badge ${tone}`} title={title}>
      <span class="dot" aria-hidden="true" />
      {children}
    </span>
  );
}

/** Local time with UTC on hover. */
export function Time({ iso, nowMs }: { iso: string; nowMs: number }) {
  return (
    <time dateTime={iso} title={formatUtc(iso)}>
      {formatTime(iso, nowMs)}
    </time>
  );
}

/** Facts in pairs of name and value; a null value is left out. */
export function Facts({ rows }: { rows: readonly (readonly [name: string, value: ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {rows
        .filter(([, value]) => value !== null && value !== undefined && value !== '')
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

export function ProblemNote({ problem, onClose }: { problem: ApiProblem | null; onClose?: () => void }) {
  if (problem === null) return null;
  return (
    <div class="note bad" role="alert">
      <p>
        <strong>{problem.code}</strong> {problem.message}
      </p>
      <Remedy text={problem.remedy} />
      {onClose && (
        <button type="button" class="quiet" onClick={onClose}>
          Dismiss
        </button>
      )}
    </div>
  );
}

export function Remedy({ text, code }: { text?: string | null; code?: string | null }) {
  const remedy = text ?? (code ? remedyFor(code) : null);
  if (remedy === null) return null;
  return (
    <p class="remedy">
      What to do: <Marked text={remedy} />
    </p>
  );
}

/** Text with `code` in it, as the agent's remedies have. */
export function Marked({ text }: { text: string }) {
  return <>{text.split('`').map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))}</>;
}

/** A command to copy. Where the clipboard is not to be had (plain http to another host), the text is selected instead. */
export function Command({ text }: { text: string }) {
  const code = useRef<HTMLElement>(null);
  const [said, setSaid] = useState<string | null>(null);
  useEffect(() => {
    if (said === null) return;
    const timer = setTimeout(() => setSaid(null), 2000);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = (): void => {
    const select = (): void => {
      if (code.current !== null) getSelection()?.selectAllChildren(code.current);
      setSaid('Selected');
    };
    if (!isSecureContext) return select();
    navigator.clipboard.writeText(text).then(() => setSaid('Copied'), select);
  };
  return (
    <span class="command">
      <code ref={code}>{text}</code>
      <button type="button" class="quiet" onClick={copy} aria-label={`Copy: ${text}`}>
        {said ?? 'Copy'}
      </button>
    </span>
  );
}

/** A native modal dialog: Escape and its own buttons close it, focus stays inside and returns. */
export function Dialog(props: { title: string; onClose: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog ref={dialog} onClose={props.onClose} aria-labelledby="dialog-title">
      <h2 id="dialog-title">{props.title}</h2>
      {props.children}
    </dialog>
  );
}

/** A button that says why it cannot be pressed: in its title, and in the line that `describedBy` names. */
export function ActionButton(props: {
  children: ComponentChildren;
  onClick: () => void;
  obstacle?: string | null;
  busy?: boolean;
  primary?: boolean;
  danger?: boolean;
  describedBy?: string;
}) {
  const kind = props.primary ? 'primary' : props.danger ? 'danger' : undefined;
  const obstacle = props.obstacle ?? null;
  const blocked = obstacle !== null || props.busy === true;
  // aria-disabled instead of disabled: the reason stays reachable by keyboard and screen reader.
  return (
    <button
      type="button"
      class={kind}
      aria-disabled={blocked}
      aria-describedby={props.describedBy}
      title={obstacle ?? undefined}
      onClick={() => {
        if (!blocked) props.onClick();
      }}
    >
      {props.children}
    </button>
  );
}
