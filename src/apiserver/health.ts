import { StatusError } from '../base/errors.ts';
import type { ApiResponse } from '../client/transport.ts';

type Checks = Record<string, () => void>;

/**
 * Answers `/livez`, `/readyz` and `/healthz`, and one check of theirs as `/readyz/<check>`: `ok`, or with `?verbose` and
 * when something fails a line a check; `?exclude=<check>` leaves one out.
 */
export function answerHealth(path: string, query: URLSearchParams, checks: Checks): ApiResponse {
  const [, root = '', only] = path.split('/');
  if (only !== undefined && !Object.hasOwn(checks, only))
    throw new StatusError('NotFound', 'the server could not find the requested resource');
  const excluded = query.getAll('exclude');
  let isWell = true;
  const lines: string[] = [];
  for (const [name, check] of Object.entries(checks)) {
    if (only !== undefined && name !== only) continue;
    if (excluded.includes(name)) {
      lines.push(`[+]${name} excluded: ok`);
      continue;
    }
    try {
      check();
      lines.push(`[+]${name} ok`);
    } catch {
      isWell = false;
      lines.push(`[-]${name} failed: reason withheld`);
    }
  }
  lines.push(isWell ? `${root} check passed` : `${root} check failed`);
  const tells = !isWell || (query.has('verbose') && only === undefined);
  return plain(isWell ? 200 : 500, tells ? `${lines.join('\n')}\n` : 'ok');
}

function plain(code: number, content: string): ApiResponse {
  const bytes = (async function* () {
    yield Buffer.from(content);
  })();
  return { code, headers: { 'content-type': 'text/plain; charset=utf-8' }, kind: 'bytes', bytes };
}
