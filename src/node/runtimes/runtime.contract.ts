import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { until } from '../../base/until.ts';
import { ask, makeFolder, runToEnd, specOf, startListening, type TestFolder, waitFor } from './fixture.ts';
import type { ContainerState, Runtime } from './runtime.ts';

/** What every implementation of Runtime does, tried with real processes. `image` makes a runnable one of JavaScript files. */
export function testRuntime(
  name: string,
  open: (folder: TestFolder) => Promise<{ runtime: Runtime; close: () => Promise<void> }>,
): void {
  describe(`the ${name} runtime`, () => {
    let folder: TestFolder;
    let runtime: Runtime;
    let close: () => Promise<void>;
    let lastIP = 1;
    const nextIP = () => `10.42.0.${++lastIP}`;

    before(async () => {
      folder = makeFolder();
      ({ runtime, close } = await open(folder));
    });
    after(async () => {
      await close();
      folder.remove();
    });

    /** A program that prints its arguments and some of its environment and then serves. */
    const server = `
      import { createServer } from 'node:http';
      console.log('started', ...process.argv.slice(2));
      createServer(async (request, response) => {
        if (request.url === '/slow') await new Promise((resolve) => setTimeout(resolve, 300));
        if (request.url === '/exit') process.exit(7);
        response.end(JSON.stringify({ env: process.env, cwd: process.cwd() }));
      }).listen(process.env.PORT);`;
    const specFor = (id: string, source: string, extra: Partial<Parameters<typeof specOf>[1]> = {}) => {
      const rootDir = folder.image(id, { 'main.mjs': source });
      return specOf(folder, {
        name: id,
        ip: nextIP(),
        rootDir,
        entry: 'main.mjs',
        env: { PORT: '8080' },
        ...extra,
      });
    };
    const logOf = (id: string) => readFileSync(path.join(folder.dir, 'logs', `${id}.log`), 'utf8');

    test('a container starts, listens, answers and stops', async () => {
      const spec = specFor('lifecycle', server);
      const seen: ContainerState[] = [];
      const unsubscribe = runtime.subscribe((state) => {
        if (state.id === spec.id) seen.push(state);
      });
      const state = await startListening(runtime, spec);
      assert.equal(state.phase, 'running');
      assert.ok(state.pid && state.pid > 0);
      assert.equal((await ask(runtime, spec.pod.ip)).status, 200);
      await runtime.stop(spec.id, { graceSeconds: 10 });
      const end = (await runtime.list()).find(({ id }) => id === spec.id);
      assert.equal(end?.phase, 'exited');
      assert.equal(end?.exitCode, 0);
      assert.equal(end?.reason, 'Completed');
      assert.ok(end!.finishedAtMs! >= end!.startedAtMs);
      await until('the end is told', () => seen.some(({ phase }) => phase === 'exited'));
      assert.ok(seen.some(({ listening }) => listening));
      unsubscribe();
    });

    test('the program sees its own arguments, environment and folder, and nothing else', async () => {
      process.env.RUNTIME_TEST_SECRET = 'of the agent';
      const base = specFor('environment', server);
      const spec = {
        ...base,
        command: [...base.command, '--flag', 'value'],
        env: { PORT: '8080', A: 'b c' },
      };
      await startListening(runtime, spec);
      const { env, cwd } = JSON.parse((await ask(runtime, spec.pod.ip)).text);
      assert.deepEqual(env, { PORT: '8080', A: 'b c' });
      assert.equal(cwd, spec.workingDir);
      await until('the output is logged', () => logOf('environment').includes('started'));
      assert.match(logOf('environment'), /^\d{4}-\d\d-\d\dT[\d:]+\.\d{9}Z stdout F started --flag value\n$/);
      await runtime.stop(spec.id, { graceSeconds: 5 });
    });

    test('an exit code is told, and what was printed last to standard error', async () => {
      const state = await runToEnd(runtime, specFor('exit', `console.error('no disk'); process.exit(3);`));
      assert.equal(state.exitCode, 3);
      assert.equal(state.reason, 'Error');
      assert.match(state.message ?? '', /no disk/);
    });

    test('a program that ends well is completed', async () => {
      const state = await runToEnd(runtime, specFor('complete', `console.log('done');`));
      assert.equal(state.exitCode, 0);
      assert.equal(state.reason, 'Completed');
      assert.match(logOf('complete'), / stdout F done\n$/);
    });

    test('an uncaught error ends the container with its stack in the log', async () => {
      const state = await runToEnd(runtime, specFor('throw', `throw new Error('broken');`));
      assert.equal(state.exitCode, 1);
      assert.match(logOf('throw'), /Error: broken/);
    });

    test('what cannot be started ends as an exited container that says why', async () => {
      const spec = { ...specFor('absent', ''), workingDir: path.join(folder.dir, 'absent') };
      const state = await runToEnd(runtime, spec);
      assert.equal(state.reason, 'ContainerCannotRun');
      assert.match(state.message ?? '', /ENOENT/);
    });

    test('stop finishes the request in flight', async () => {
      const spec = specFor('graceful', server);
      await startListening(runtime, spec);
      const pending = ask(runtime, spec.pod.ip, { path: '/slow' });
      await new Promise((resolve) => setTimeout(resolve, 100));
      await runtime.stop(spec.id, { graceSeconds: 10 });
      assert.equal((await pending).status, 200);
    });

    test('a program that ignores SIGTERM is killed after the grace period', async () => {
      const spec = specFor('stubborn', `process.on('SIGTERM', () => {}); ${server}`);
      await startListening(runtime, spec);
      const startedMs = Date.now();
      await runtime.stop(spec.id, { graceSeconds: 0.2 });
      const state = await waitFor(runtime, spec.id, ({ phase }) => phase === 'exited');
      assert.equal(state.exitCode, 137);
      assert.ok(Date.now() - startedMs >= 200);
    });

    test('a crash while it serves is told', async () => {
      const spec = specFor('crash', server);
      await startListening(runtime, spec);
      await assert.rejects(ask(runtime, spec.pod.ip, { path: '/exit' }));
      assert.equal((await waitFor(runtime, spec.id, ({ phase }) => phase === 'exited')).exitCode, 7);
    });

    test('a container over its memory limit is killed as OOMKilled', async () => {
      const hog = `
        const kept = [];
        setInterval(() => kept.push(Buffer.alloc(8 * 2 ** 20, 1)), 10);`;
      const state = await runToEnd(runtime, specFor('hog', hog, { memoryLimitBytes: 96 * 2 ** 20 }));
      assert.equal(state.reason, 'OOMKilled');
      assert.equal(state.exitCode, 137);
    });

    test('start again, stop of the unknown and remove are as they should be', async () => {
      const spec = specFor('again', server);
      const { pid } = await startListening(runtime, spec);
      await runtime.start(spec);
      assert.equal(
        (await runtime.list()).find(({ id }) => id === spec.id)?.pid,
        pid,
        'it is still the first',
      );
      await assert.rejects(runtime.remove(spec.id), /stop it before removing it/);
      await runtime.stop('nobody/main/0', { graceSeconds: 1 });
      await runtime.stop(spec.id, { graceSeconds: 5 });
      await runtime.remove(spec.id);
      await runtime.remove(spec.id);
      assert.equal(
        (await runtime.list()).some(({ id }) => id === spec.id),
        false,
      );
    });

    test('a container that is stopped while it starts never runs', async () => {
      const spec = specFor('hasty', server);
      await Promise.all([runtime.start(spec), runtime.stop(spec.id, { graceSeconds: 5 })]);
      await runtime.stop(spec.id, { graceSeconds: 5 });
      assert.equal((await waitFor(runtime, spec.id, ({ phase }) => phase === 'exited')).phase, 'exited');
    });

    test('dialling a pod that is not there fails, and an aborted dial too', async () => {
      await assert.rejects(runtime.dial({ podIP: '10.42.9.9', port: 80 }), /nothing listens at 10\.42\.9\.9/);
      const signal = AbortSignal.abort(new Error('enough'));
      await assert.rejects(runtime.dial({ podIP: '10.42.9.9', port: 80, signal }), /enough/);
    });

    test('a log is rotated by size, and no line is lost between the files', async () => {
      const lines = 2000;
      const source = `for (let index = 0; index < ${lines}; index++) console.log('line ' + index);`;
      const spec = specFor('chatty', source, { logBytesMax: 40_000, logFilesMax: 100 });
      await runToEnd(runtime, spec);
      const seen: number[] = [];
      for (let index = 99; index >= 0; index--) {
        const file = index === 0 ? spec.logPath : `${spec.logPath}.${index}`;
        try {
          for (const [, number] of readFileSync(file, 'utf8').matchAll(/ F line (\d+)\n/g))
            seen.push(Number(number));
        } catch {
          // Not that many files.
        }
      }
      assert.deepEqual(
        seen,
        Array.from({ length: lines }, (_, index) => index),
      );
    });
  });
}
