/** Longer is no text for a chat; the API has the rest. */
const maxChars = 200_000;
/** Controls say what can be done, not what is. */
const leftOut =
  'button, select, input, textarea, canvas, svg:not([role="img"]), [aria-hidden="true"], [hidden], .about, .sr, .marks, .actions, label, legend';

/** What stands in a part of the page, as plain text: headings underlined, tables with tabs, facts as `name: value`. What is folded is left out. */
export function viewText(root: Element): string {
  const lines: string[] = [];
  collect(root, lines);
  const text = lines
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n')
    .trim();
  return text.length > maxChars ? `${text.slice(0, maxChars)}\n…` : text;
}

function collect(element: Element, lines: string[]): void {
  if (element.matches(leftOut) || !element.checkVisibility()) return;
  if (/^H[1-6]$/.test(element.tagName)) return void lines.push('', inline(element), '-'.repeat(inline(element).length));
  if (element.tagName === 'TR') return void push(lines, cellsOf(element).join('\t'));
  if (element.tagName === 'DT') return;
  if (element.tagName === 'DD') {
    const name = element.previousElementSibling;
    return void push(lines, name?.tagName === 'DT' ? `${inline(name)}: ${inline(element)}` : inline(element));
  }
  if (element.tagName === 'PRE') return void lines.push(element.textContent);
  if (element.matches('li:not(.card)')) return void push(lines, `- ${inline(element).trim()}`);
  if (!hasBlocks(element)) return void push(lines, inline(element));
  for (const node of element.childNodes) {
    if (node instanceof Element) collect(node, lines);
    else push(lines, squeeze(node.textContent ?? ''));
  }
}

function cellsOf(row: Element): string[] {
  return Array.from(row.children, (cell) => inline(cell).trim());
}

/** Text in one line, in the order in which it stands. */
function inline(element: Element): string {
  if (element.matches(leftOut)) return '';
  const parts = Array.from(element.childNodes, (node) =>
    node instanceof Element ? inline(node) : (node.textContent ?? ''),
  );
  const label = element.matches('svg[role="img"]') ? (element.getAttribute('aria-label') ?? '') : null;
  return squeeze(label ?? parts.join(isRow(element) ? ' ' : ''));
}

/** Its children stand apart by their boxes, not by spaces. */
function isRow(element: Element): boolean {
  return (
    /flex|grid/.test(getComputedStyle(element).display) || element.querySelector(`:scope > :is(${blocks})`) !== null
  );
}

const blocks =
  'h1, h2, h3, h4, h5, h6, p, ul, ol, dl, table, section, article, details, figure, pre, fieldset, div, dd, li, tr';

function hasBlocks(element: Element): boolean {
  return element.matches('ul, ol, dl, table, thead, tbody') || element.querySelector(blocks) !== null;
}

function squeeze(text: string): string {
  return text.replaceAll(/\s+/g, ' ');
}

function push(lines: string[], line: string): void {
  if (line.trim() !== '') lines.push(line.trim());
}
