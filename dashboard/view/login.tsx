import { useEffect, useRef, useState } from 'preact/hooks';

/** Asks for the token: as the whole page at first, above the view when the token ended while it was open. */
export function Login(props: { reason: string | null; overView: boolean; onToken: (token: string) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [token, setToken] = useState('');
  useEffect(() => input.current?.focus(), []);
  const form = (
    <form
      class="login"
      onSubmit={(event) => {
        event.preventDefault();
        if (token.trim() !== '') props.onToken(token.trim());
      }}
    >
      <h2>{props.overView ? 'Sign in again' : 'Sign in'}</h2>
      {props.reason !== null && (
        <p class="note bad" role="alert">
          {props.reason}
        </p>
      )}
      <label for="token">Access token</label>
      <input
        id="token"
        ref={input}
        type="password"
        autocomplete="off"
        spellcheck={false}
        required
        value={token}
        onInput={(event) => setToken(event.currentTarget.value)}
      />
      <button type="submit" class="primary">
        Sign in
      </button>
      <p class="hint">
        On a terminal the agent prints a link that holds the token. In a pod, <code>sidescope token</code> inside the
        container makes one. The token stays in this tab.
      </p>
    </form>
  );
  return props.overView ? <div class="over">{form}</div> : <main>{form}</main>;
}
