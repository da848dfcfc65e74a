const namePattern = /^[a-zA-Z0-9._/-]{1,64}$/;
const maxLabels = 32;
const maxValueChars = 256;

export type LabelsOrError =
  { readonly value: Record<string, string>; readonly error: null } | { readonly error: string };

/** "ticket: OPS-12, before-fix" -> {ticket: "OPS-12", "before-fix": ""}. The bounds are those of the contract's profilePatchSchema. */
export function readLabels(text: string): LabelsOrError {
  const value: Record<string, string> = {};
  for (const part of text.split(',')) {
    const colon = part.indexOf(':');
    const name = (colon < 0 ? part : part.slice(0, colon)).trim();
    const content = colon < 0 ? '' : part.slice(colon + 1).trim();
    if (name === '' && content === '') continue;
    if (!namePattern.test(name))
      return { error: `“${name.slice(0, 70)}”: a name has letters, digits and . _ / - only.` };
    if (content.length > maxValueChars) return { error: `“${name}”: a value has ${maxValueChars} characters at most.` };
    value[name] = content;
  }
  if (Object.keys(value).length > maxLabels) return { error: `${maxLabels} labels at most.` };
  return { value, error: null };
}

export function writeLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => (value === '' ? name : `${name}: ${value}`))
    .join(', ');
}
