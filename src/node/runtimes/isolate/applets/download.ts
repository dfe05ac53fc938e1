import { createWriteStream } from 'node:fs';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Applet, AppletError, countOf, parseOptions, print, type RunApplet } from './applet.ts';

// Downloads through the pod's mesh: Services by name, and what the pod's egress grants.

const timeoutSecondsDefault = 900;

export const wget: RunApplet = async (applet) => {
  const { flags, operands } = parseOptions(applet.args, 'qO:T:t:SY:U:cs', {
    quiet: 'q',
    'output-document': 'O:',
    timeout: 'T:',
    tries: 't:',
    spider: 's',
    'no-check-certificate': 'q',
    'server-response': 'S',
    'user-agent': 'U:',
    header: 'H:',
    'post-data': 'P:',
  });
  if (operands.length === 0)
    throw new AppletError(
      'usage: wget [-q] [-O FILE|-] [-T SECONDS] [--spider] [--header NAME:VALUE] [--post-data TEXT] URL…',
    );
  for (const operand of operands) {
    const url = urlOf(operand);
    const headers = flags['H:'] ?? flags.H;
    const answer = await ask(applet, url, {
      timeoutSeconds: countOf(flags.T ?? flags['T:'], timeoutSecondsDefault),
      headers: typeof headers === 'string' ? [headers] : [],
      body: flags['P:'] as string | undefined,
    });
    if (flags.q === undefined) await print(applet.stderr, `Connecting to ${url.host}\n`);
    if (flags.S !== undefined) await print(applet.stderr, headOf(answer));
    if (!answer.ok)
      throw new AppletError(`server returned error: HTTP/1.1 ${answer.status} ${answer.statusText}`);
    const output = flags.O ?? flags['O:'] ?? (posix.basename(url.pathname) || 'index.html');
    if (flags.s === undefined) await save(applet, answer, String(output));
  }
  return 0;
};

export const curl: RunApplet = async (applet) => {
  const repeated: string[] = [];
  const args = applet.args.flatMap((word, index, all) => {
    if ((word === '-H' || word === '--header') && all[index + 1] !== undefined) {
      repeated.push(all[index + 1]!);
      return [];
    }
    return all[index - 1] === '-H' || all[index - 1] === '--header' ? [] : [word];
  });
  const { flags, operands } = parseOptions(args, 'sSfiILkvo:m:X:d:w:A:', {
    silent: 's',
    'show-error': 'S',
    fail: 'f',
    include: 'i',
    head: 'I',
    location: 'L',
    insecure: 'k',
    verbose: 'v',
    output: 'o',
    'max-time': 'm',
    request: 'X',
    data: 'd',
    'write-out': 'w',
  });
  if (operands.length === 0)
    throw new AppletError(
      'usage: curl [-sSfiIL] [-o FILE] [-m SECONDS] [-X METHOD] [-d DATA] [-H HEADER] [-w FORMAT] URL…',
      2,
    );
  for (const operand of operands) {
    const answer = await ask(applet, urlOf(operand), {
      timeoutSeconds: Number(flags.m ?? timeoutSecondsDefault),
      headers: repeated,
      method: flags.I === undefined ? (flags.X as string | undefined) : 'HEAD',
      body: flags.d as string | undefined,
      redirect: flags.L === undefined ? 'manual' : 'follow',
    }).catch((error: AppletError) => {
      throw new AppletError(`(7) ${error.message}`, 7);
    });
    if (flags.f !== undefined && answer.status >= 400) {
      throw new AppletError(`(22) The requested URL returned error: ${answer.status}`, 22);
    }
    if (flags.i ?? flags.I) await print(applet.stdout, `${headOf(answer)}\n`);
    if (flags.I === undefined) await save(applet, answer, String(flags.o ?? '-'));
    if (typeof flags.w === 'string') {
      const text = flags.w.replaceAll('%{http_code}', String(answer.status)).replaceAll('\\n', '\n');
      await print(applet.stdout, text);
    }
  }
  return 0;
};

async function ask(
  { signal }: Applet,
  url: URL,
  options: {
    timeoutSeconds: number;
    headers: string[];
    method?: string | undefined;
    body?: string | undefined;
    redirect?: RequestRedirect;
  },
): Promise<Response> {
  const { timeoutSeconds, body, redirect = 'follow' } = options;
  const headers = new Headers();
  for (const line of options.headers) {
    const at = line.indexOf(':');
    if (at > 0) headers.append(line.slice(0, at), line.slice(at + 1).trim());
  }
  const method = options.method ?? (body === undefined ? 'GET' : 'POST');
  if (body !== undefined && !headers.has('content-type'))
    headers.set('content-type', 'application/x-www-form-urlencoded');
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutSeconds * 1000)]);
    return await fetch(url, {
      method,
      headers,
      redirect,
      signal: limit,
      ...(body !== undefined && { body }),
    });
  } catch (error) {
    if (signal.aborted) throw new AppletError('', 130);
    const isLate = (error as Error).name === 'TimeoutError';
    throw new AppletError(isLate ? 'download timed out' : reasonOf(error as Error));
  }
}

/** What lies behind a failed fetch, which itself says only that it failed. */
function reasonOf(error: Error): string {
  const cause = error.cause as Error | undefined;
  return cause?.message && !error.message.includes(cause.message)
    ? `${error.message}: ${cause.message}`
    : error.message;
}

function urlOf(text: string): URL {
  try {
    return new URL(/^https?:\/\//.test(text) ? text : `http://${text}`);
  } catch {
    throw new AppletError(`bad address '${text}'`);
  }
}

function headOf(answer: Response): string {
  const lines = [...answer.headers].map(([name, value]) => `${name}: ${value}\n`);
  return `HTTP/1.1 ${answer.status} ${answer.statusText}\n${lines.join('')}`;
}

async function save({ stdout, files }: Applet, answer: Response, output: string): Promise<void> {
  // The web's stream type and Node's differ by name only.
  const body = answer.body
    ? Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0])
    : Readable.from([]);
  if (output !== '-' && output !== '/dev/null') {
    await pipeline(body, createWriteStream(await files.toWrite(output)));
    return;
  }
  for await (const chunk of body) if (output === '-') await print(stdout, chunk as Buffer);
}
