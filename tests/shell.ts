import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { TestContext } from 'node:test';

export const root = dirname(import.meta.dirname);
const nobody = 65534;

/** A person at a terminal: a home folder of their own, `selvage` on the PATH, and a user id. */
export interface Shell {
  home: string;
  /** Runs a command line; fails the test, with what it printed, when the exit code is not `code`. Resolves to its output. */
  run(line: string, options?: { code?: number; timeoutMs?: number }): Promise<string>;
  /** Starts a command line in the background; it is ended with the test. */
  start(line: string): Background;
}

export interface Background {
  process: ChildProcess;
  output(): string;
  /** Resolves to the output once it matches; rejects when the process ends or the time is up before. */
  until(pattern: RegExp, timeoutMs?: number): Promise<string>;
  exited: Promise<number | null>;
}

/** A shell as the user who runs the tests, or, for root, as an ordinary user too. */
export function openShell(t: Pick<TestContext, 'after'>, options: { ordinaryUser?: boolean } = {}): Shell {
  const home = mkdtempSync(join(tmpdir(), 'selvage-home-'));
  if (options.ordinaryUser) chownSync(home, nobody, nobody);
  t.after(() => rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    HOME: home,
    PATH: [join(root, 'bin'), process.env.PATH].join(delimiter),
    TMPDIR: home,
  };
  for (const name of ['KUBECONFIG', 'SELVAGE_HOME', 'SELVAGE_DATA', 'NODE_TEST_CONTEXT', 'XDG_CACHE_HOME'])
    delete env[name];
  const launch = (line: string) => {
    const command = ['bash', '-c', line];
    if (options.ordinaryUser)
      command.unshift('setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups');
    return spawn(command[0]!, command.slice(1), { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  };
  return {
    home,
    run: (line, { code = 0, timeoutMs = 120_000 } = {}) =>
      new Promise((resolve, reject) => {
        const child = launch(line);
        const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
        let output = '';
        for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
        child.on('close', (exitCode, signal) => {
          clearTimeout(timer);
          if (exitCode === code) resolve(output);
          else
            reject(
              new assert.AssertionError({
                message: `${line}\nended with ${signal ?? exitCode}, not ${code}:\n${output}`,
              }),
            );
        });
      }),
    start(line) {
      const child = launch(`exec ${line}`);
      let output = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
      const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
      t.after(async () => {
        if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
        await exited;
      });
      return {
        process: child,
        output: () => output,
        until: (pattern, ms) => untilOutput(child, () => output, pattern, ms),
        exited,
      };
    },
  };
}

function untilOutput(
  child: ChildProcess,
  output: () => string,
  pattern: RegExp,
  timeoutMs = 60_000,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const check = () => {
      if (!pattern.test(output())) return;
      finish();
      resolve(output());
    };
    const fail = (why: string) => {
      finish();
      reject(
        new assert.AssertionError({ message: `${why} before its output matched ${pattern}:\n${output()}` }),
      );
    };
    const ended = () => setImmediate(() => (pattern.test(output()) ? check() : fail('the process ended')));
    const timer = setTimeout(() => fail(`${timeoutMs} ms passed`), timeoutMs);
    const finish = () => {
      clearTimeout(timer);
      child.off('exit', ended);
      for (const stream of [child.stdout!, child.stderr!]) stream.off('data', check);
    };
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', check);
    child.once('exit', ended);
    check();
  });
}

/** Repeats `attempt` until it does not throw; after `timeoutMs` its last error is thrown. */
export async function eventually<T>(attempt: () => Promise<T> | T, timeoutMs = 60_000): Promise<T> {
  const endMs = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Why a test that needs `tools` can't run here, for node:test's `skip`; in CI a missing tool is a failure. */
export function missing(...tools: string[]): string | false {
  const absent = tools.filter((tool) => spawnSync('which', [tool]).status !== 0);
  if (absent.length === 0) return false;
  assert.ok(!process.env.CI, `CI needs ${absent.join(', ')}`);
  return `not installed: ${absent.join(', ')}`;
}

/** The minor version of the kubectl on the PATH, such as 32; Debian's is 20, and lacks what came later. 0 without kubectl. */
export const kubectlMinor: number = Number(
  /v1\.(\d+)/.exec(spawnSync('kubectl', ['version', '--client'], { encoding: 'utf8' }).stdout ?? '')?.[1] ??
    0,
);
