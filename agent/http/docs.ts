import { createHash } from 'node:crypto';
import { errorCodes, openApiDocument, queryProperties, scopeSentence } from '../../protocol/rest/openapi.ts';
import { problemKinds } from '../../protocol/rest/problem.ts';
import type { ProblemCode } from '../../protocol/rest/problem.ts';
import { apiPath, routes } from '../../protocol/rest/routes.ts';
import type { Route } from '../../protocol/rest/route.ts';
import { securityPolicies } from './headers.ts';
import type { Handlers } from './router.ts';
import type { AdminServices } from './services.ts';

/** The contract as a document and as a page: both are made once, from the route table, and hold no data. */
export function docsHandlers(services: AdminServices): Pick<Handlers, 'openapi' | 'docs'> {
  const { version } = services.info();
  const document = `${JSON.stringify(openApiDocument(version), undefined, 2)}\n`;
  const page = docsPage(version);
  const policy = securityPolicies.docs(createHash('sha256').update(style).digest('base64'));
  return {
    openapi: () => new Response(document, { headers: { 'content-type': 'application/json' } }),
    docs: () =>
      new Response(page, {
        headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy },
      }),
  };
}

function docsPage(version: string): string {
  const shown = Object.values<Route>(routes).filter(({ hidden }) => !hidden);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sidescope API</title>
<style>${style}</style>
</head>
<body>
<h1>Sidescope ${escaped(version)} HTTP API</h1>
<p>Everything is below <code>${apiPath}</code>. Bodies are JSON; errors are <code>application/problem+json</code> with a
stable <code>code</code>. Machines read <a href="${apiPath}/openapi.json">openapi.json</a>.</p>
<pre>curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:7777${apiPath}/targets
curl -H "Authorization: Bearer $TOKEN" -X POST "http://127.0.0.1:7777${apiPath}/cpu/start?duration=5000&amp;wait=true"</pre>
<p>The scope <code>admin</code> may do everything; <code>view</code>, <code>capture</code> and <code>heap</code> are what
they name and imply nothing. Long work answers 202 with an operation and its <code>Location</code>;
<code>wait=true</code> holds the answer for up to 60 seconds.</p>
<h2>Routes</h2>
${shown.map(routeSection).join('\n')}
<h2>Problems</h2>
<dl>
${Object.entries(problemKinds).map(problemEntry).join('\n')}
</dl>
</body>
</html>
`;
}

function routeSection(route: Route): string {
  const parameters = queryProperties(route).map(
    ({ name, schema }) => `<tr><td><code>${escaped(name)}</code></td><td>${prose(parameterSentence(schema))}</td></tr>`,
  );
  const answers = route.answers.map(({ status, description }) => `<li>${status}: ${prose(description)}</li>`);
  const codes = errorCodes(route).map((code) => `<a href="#problem-${code}">${code}</a>`);
  return `<section>
<h3><code>${route.method} ${escaped(route.path)}</code></h3>
<p>${prose(route.summary)}. ${prose(scopeSentence(route))}</p>
${parameters.length === 0 ? '' : `<table><tbody>${parameters.join('')}</tbody></table>`}
<ul>${answers.join('')}</ul>
<p class="codes">${codes.join(' ')}</p>
</section>`;
}

function parameterSentence(schema: Record<string, unknown>): string {
  if (typeof schema['description'] === 'string') return schema['description'];
  if (Array.isArray(schema['enum'])) return schema['enum'].map((value) => `\`${String(value)}\``).join(', ');
  return typeof schema['pattern'] === 'string' ? `matches \`${schema['pattern']}\`` : 'text';
}

function problemEntry([code, { status, cause, remedy }]: [string, (typeof problemKinds)[ProblemCode]]): string {
  return `<div id="problem-${code}"><dt><code>${code}</code> ${status}</dt><dd>${prose(cause)} ${prose(remedy)}</dd></div>`;
}

/** Escaped, with `code` in backquotes shown as such. */
function prose(text: string): string {
  return escaped(text).replace(/`([^`]*)`/g, '<code>$1</code>');
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const style = `
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
code, pre { font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid GrayText; overflow-wrap: normal; }
section { border-top: 1px solid GrayText; }
table { border-collapse: collapse; }
td { border-bottom: 1px solid GrayText; padding: .25rem .75rem .25rem 0; vertical-align: top; }
dt { font-weight: 600; margin-top: .75rem; }
.codes { font-size: 13px; }
:target { outline: 2px solid Highlight; }
`;
