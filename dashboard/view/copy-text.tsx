import { useEffect, useState } from 'preact/hooks';

/** Copies what is made at the click. Without a clipboard (plain http to another host) the text is shown, to be copied by hand. */
export function CopyText({ label, text }: { label: string; text: () => string }) {
  const [said, setSaid] = useState<string | null>(null);
  const [shown, setShown] = useState<string | null>(null);
  useEffect(() => {
    if (said === null) return;
    const timer = setTimeout(() => setSaid(null), 2000);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = (): void => {
    const made = text();
    if (!isSecureContext) return setShown(made);
    navigator.clipboard.writeText(made).then(
      () => setSaid('Copied'),
      () => setShown(made),
    );
  };
  return (
    <>
      <button type="button" onClick={copy}>
        {said ?? label}
      </button>
      {shown !== null && (
        <pre class="stack-text" tabIndex={0}>
          {shown}
        </pre>
      )}
    </>
  );
}
