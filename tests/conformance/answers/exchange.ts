import https from 'node:https';

/** One request; `body` is JSON unless it is a string, `headers` add to the usual ones. */
export interface Question {
  /** `GET /api/v1/pods?limit=1` */
  ask: string;
  body?: unknown;
  headers?: Record<string, string>;
}

export interface Answer {
  code: number;
  /** Those that belong to the API: the type, warnings, allowed methods. */
  headers: Record<string, string>;
  /** Decoded where it is JSON, else as it came. */
  body: unknown;
}

export interface Endpoint {
  host: string;
  port: number;
  ca?: string;
  cert: string;
  key: string;
}

const headersKept = ['content-type', 'warning', 'allow', 'retry-after', 'location'];
const answerTimeoutMs = 60_000;

/** Asks a server over HTTPS, with a client certificate. */
export function exchange(endpoint: Endpoint, question: Question): Promise<Answer> {
  const [method, path] = question.ask.split(' ');
  const { body } = question;
  const content = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const headers = {
    accept: 'application/json',
    // Said outright, since Node.js sends no body along with DELETE otherwise.
    ...(content !== undefined && {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(content)),
    }),
    'user-agent': 'answers',
    ...question.headers,
  };
  return new Promise((resolve, reject) => {
    const { ca } = endpoint;
    const sent = https.request(
      { ...endpoint, method, path, headers, timeout: answerTimeoutMs, rejectUnauthorized: ca !== undefined },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const kept = headersKept.filter((name) => response.headers[name] !== undefined);
          resolve({
            code: response.statusCode!,
            headers: Object.fromEntries(kept.map((name) => [name, String(response.headers[name])])),
            body: decoded(text),
          });
        });
      },
    );
    sent.on('error', reject);
    sent.on('timeout', () => sent.destroy(new Error(`${question.ask} was not answered`)));
    sent.end(content);
  });
}

function decoded(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
