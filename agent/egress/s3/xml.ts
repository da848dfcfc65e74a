/** The text of the first element of that name, '' without one. S3's answers are flat, and bounded where they are read. */
export function fieldOf(xml: string, name: string): string {
  return unescapeXml(new RegExp(`<${name}>([^<]{0,4096})</${name}>`).exec(xml)?.[1] ?? '');
}

/** The insides of all elements of that name, which hold none of their own name. */
export function elementsOf(xml: string, name: string): string[] {
  const [opening, closing] = [`<${name}>`, `</${name}>`];
  const found: string[] = [];
  // No pattern: one for this takes the square of the length when nothing is closed.
  for (let from = xml.indexOf(opening); from !== -1;) {
    const inside = from + opening.length;
    const to = xml.indexOf(closing, inside);
    if (to === -1) break;
    found.push(xml.slice(inside, to));
    from = xml.indexOf(opening, to + closing.length);
  }
  return found;
}

export function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (one) => `&#${one.charCodeAt(0)};`);
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replace(/&(#?\w{1,6});/g, (whole, name: string) => {
    const [, hex, decimal] = /^#(?:x([\da-f]+)|(\d+))$/i.exec(name) ?? [];
    if (hex === undefined && decimal === undefined) return Object.hasOwn(entities, name) ? entities[name]! : whole;
    return String.fromCodePoint(hex === undefined ? Number(decimal) : parseInt(hex, 16));
  });
}
