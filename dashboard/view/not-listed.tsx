/** For a link to something that its list does not have: nothing is said while the list is not there, or has it. */
export function NotListed(props: {
  what: string;
  id: string | undefined;
  among: readonly { readonly id: string }[] | undefined;
}) {
  const { what, id, among } = props;
  if (id === undefined || among === undefined || among.some((one) => one.id === id)) return null;
  return (
    <p class="note warn" role="status">
      The {what} of the link is not in this list: it is older than those shown, or no longer kept.
    </p>
  );
}
