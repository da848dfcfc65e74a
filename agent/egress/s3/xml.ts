/** The text of the first element of that name, '' without one. S3's answers are flat, and bounded where they are read. */
export function fieldOf(xml: string, name: string): string {
  return unescapeXml(new RegExp(`<${name}>([^<]{0,4096})</${name}>`).exec(xml)?.[1] ?? '');
}

/** The insides of all elements of that name, which hold none of their own name. */
export function elementsOf(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'gs'))].map(([, inside]) => inside ?? '');
}

export function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (one) => `&#${one.charCodeAt(0)};`);
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replace(/&(#?\w{1,6});/g, (whole, name: string) => {
    const [, isHex, digits = ''] = /^#(x?)([\da-f]+)$/i.exec(name) ?? [];
    if (digits === '') return entities[name] ?? whole;
    return String.fromCodePoint(Math.min(parseInt(digits, isHex === '' ? 10 : 16), 0x10ffff));
  });
}
