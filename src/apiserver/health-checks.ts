import { messageOf } from '../base/errors.ts';
import type { ApiResponse } from '../client/transport.ts';
import { noSuchPath } from './failures.ts';

/** Something that is well or says what is not. */
interface Check {
  name: string;
  /** Throws what is wrong. */
  check(): void;
}

/** What happens in every start before the server is ready, by the names that Kubernetes gives it. */
const startHooks = [
  'bootstrap-controller',
  'rbac/bootstrap-roles',
  'scheduling/bootstrap-system-priority-classes',
  'priority-and-fairness-config-producer',
] as const;

/**
 * Whether the server lives and is ready: `/livez`, `/readyz`, `/healthz` and the single checks below them.
 * Source: https://kubernetes.io/docs/reference/using-api/health-checks/
 */
export class HealthChecks {
  readonly #basic: readonly Check[];
  /** True when it is finished. */
  readonly #hooks = new Map<string, boolean>(startHooks.map((hook) => [hook, false]));
  #isStopping = false;

  constructor({ readStore }: { readStore(): void }) {
    this.#basic = [
      { name: 'ping', check: () => {} },
      { name: 'log', check: () => {} },
      // Those who ask for it know it by this name: it reads our own store.
      { name: 'etcd', check: readStore },
    ];
  }

  /** The server is not ready before the returned function is called. */
  expect(hook: string): () => void {
    this.#hooks.set(hook, false);
    return () => this.#hooks.set(hook, true);
  }

  finish(hook: (typeof startHooks)[number]): void {
    this.#hooks.set(hook, true);
  }

  /** From here on the server lives but is not ready. */
  stopping(): void {
    this.#isStopping = true;
  }

  /** Answers `/readyz?verbose&exclude=…` and `/readyz/CHECK`; throws NotFound for a check that there is none of. */
  answer(path: string, query: URLSearchParams): ApiResponse {
    const [, endpoint, ...rest] = path.split('/');
    const checks = this.#checksOf(endpoint!);
    const name = rest.join('/');
    if (name === '') return summary(endpoint!, checks, query);
    const check = checks.find((each) => each.name === name);
    if (!check) throw noSuchPath();
    const failure = failureOf(check);
    return failure === undefined ? text(200, 'ok') : text(500, `internal server error: ${failure}\n`);
  }

  /** Where the checks are asked for, together and one by one. */
  paths(): string[] {
    return ['healthz', 'livez', 'readyz'].flatMap((endpoint) => [
      `/${endpoint}`,
      ...this.#checksOf(endpoint).map(({ name }) => `/${endpoint}/${name}`),
    ]);
  }

  #checksOf(endpoint: string): Check[] {
    const hooks = [...this.#hooks].map(([hook, isFinished]) => ({
      name: `poststarthook/${hook}`,
      check: () => {
        if (!isFinished) throw new Error('not finished');
      },
    }));
    const checks: Check[] = [...this.#basic, ...hooks];
    if (endpoint === 'readyz') {
      const etcd = this.#basic.findIndex(({ name }) => name === 'etcd');
      checks.splice(etcd + 1, 0, { name: 'etcd-readiness', check: this.#basic[etcd]!.check });
      checks.push({ name: 'shutdown', check: () => this.#checkShutdown() });
    }
    return checks;
  }

  #checkShutdown(): void {
    if (this.#isStopping) throw new Error('process is shutting down');
  }
}

/** Says of each check whether it passed, but not why it failed: anybody may ask. */
function summary(endpoint: string, checks: readonly Check[], query: URLSearchParams): ApiResponse {
  const excluded = new Set(query.getAll('exclude'));
  let isWell = true;
  let lines = '';
  for (const check of checks) {
    if (excluded.delete(check.name)) {
      lines += `[+]${check.name} excluded: ok\n`;
    } else if (failureOf(check) === undefined) {
      lines += `[+]${check.name} ok\n`;
    } else {
      isWell = false;
      lines += `[-]${check.name} failed: reason withheld\n`;
    }
  }
  if (excluded.size > 0) {
    const names = [...excluded].sort().map((name) => JSON.stringify(name));
    lines += `warn: some health checks cannot be excluded: no matches for ${names.join(',')}\n`;
  }
  if (!isWell) return text(500, `${lines}${endpoint} check failed\n`);
  return text(200, query.has('verbose') ? `${lines}${endpoint} check passed\n` : 'ok');
}

function failureOf({ check }: Check): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function text(code: number, content: string): ApiResponse {
  const bytes = (async function* () {
    yield Buffer.from(content);
  })();
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' };
  return { code, headers, kind: 'bytes', bytes };
}
