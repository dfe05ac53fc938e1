// The main job, end to end, and what happens when its processes are killed.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Figures } from '../src/cli/demo/figures.ts';
import { syntheticImages } from '../src/ml/index.ts';
import { eventually, missing, openShell, type Shell } from './shell.ts';

const isRoot = process.getuid?.() === 0;
const quick = '--epochs 1 --seconds 5 --wan-delay 20';

test('the demo reports accuracy, latency, traffic, start and memory, and leaves no process behind', {
  timeout: 600_000,
}, async (t) => {
  const shell = openShell(t, { ordinaryUser: isRoot });
  const file = join(shell.home, 'figures.json');
  const output = await shell.run(`selvage demo --once --data ${writeCifar(shell)} ${quick} --json ${file}`, {
    timeoutMs: 200_000,
  });
  assert.match(output, /Epoch 1\/1/);
  assert.match(output, /WAN simulated: 20 ms each way, 20 Mbit\/s/);
  assert.doesNotMatch(output, /GENERATED/);
  const figures = JSON.parse(readFileSync(file, 'utf8')) as Figures;
  assert.deepEqual(figures.dataSet, {
    name: 'CIFAR-10',
    isGenerated: false,
    trainCount: 1600,
    testCount: 200,
  });
  assert.ok(figures.training.testAccuracy > 0.15, `accuracy ${figures.training.testAccuracy}`);
  assert.ok(
    figures.latency.cloud.p50 >= 40,
    `a cloud request took ${figures.latency.cloud.p50} ms over 2 x 20 ms`,
  );
  assert.ok(figures.latency.edge.p50 < figures.latency.cloud.p50);
  assert.ok(figures.traffic.frames > 20 && figures.traffic.capturedBytes === 3072 * figures.traffic.frames);
  assert.ok(figures.traffic.applicationWanBytes > 0);
  assert.ok(figures.boot.apiReadyMs > 0 && figures.boot.firstPodReadyMs > figures.boot.apiReadyMs);
  assert.equal(figures.memory.pods.count, 10);
  assert.deepEqual(processesOf(shell), []);
});

test('without network and without data the demo trains on generated images and says so', {
  timeout: 600_000,
}, async (t) => {
  const shell = openShell(t);
  const output = await shell.run(`selvage demo --once ${quick}`, { timeoutMs: 200_000 });
  assert.match(output, /CIFAR-10 can't be had here/);
  assert.match(output, /GENERATED images, no photographs/);
  assert.deepEqual(processesOf(shell), []);
});

test('a truncated CIFAR file ends the demo with a clear error and a failure code', async (t) => {
  const shell = openShell(t);
  const folder = writeCifar(shell);
  writeFileSync(join(folder, 'test_batch.bin'), new Uint8Array(3072));
  const output = await shell.run(`selvage demo --once --data ${folder}`, { code: 1 });
  assert.match(output, /test_batch\.bin.*3072 bytes/s);
  assert.deepEqual(processesOf(shell), []);
});

test('kill -9 of the control plane, an agent and a pod during the demo loses nothing', {
  skip: missing('kubectl'),
  timeout: 600_000,
}, async (t) => {
  const shell = openShell(t);
  const demo = shell.start(`selvage demo --generated ${quick}`);
  const output = await demo.until(/Ctrl-C ends everything/, 200_000);
  const kubeconfig = /export KUBECONFIG=(\S+)/.exec(output)![1]!;
  const kubectl = (line: string) => shell.run(`kubectl --kubeconfig ${kubeconfig} -n vision ${line}`);
  const pods = () =>
    kubectl(
      `get pods --sort-by=.metadata.name -o jsonpath='{range .items[*]}{.metadata.uid} {.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].ready}{"\\n"}{end}'`,
    );
  const kill = (...parts: string[]) => {
    const found = processesOf(shell, ...parts);
    assert.equal(found.length, 1, `${parts} is ${found.length} processes`);
    process.kill(found[0]!, 'SIGKILL');
    return found[0]!;
  };
  const untilAsBefore = (before: string) =>
    eventually(async () => assert.equal(await pods(), before), 60_000);
  const before = await pods();
  assert.equal(before.trim().split('\n').length, 10);
  const isolates = processesOf(shell, 'isolate/host').sort();

  await kubectl('create configmap acknowledged --from-literal=a=b');
  kill('selvage.mjs', ' up ');
  await untilAsBefore(before);
  assert.match(await kubectl('get configmap acknowledged'), /acknowledged\s+1/);
  assert.deepEqual(
    processesOf(shell, 'isolate/host').sort(),
    isolates,
    'pods were restarted with the control plane',
  );

  const agent = kill('selvage.mjs', ' agent ', '--name edge-a');
  await eventually(() => assert.notDeepEqual(processesOf(shell, ' agent ', '--name edge-a'), [agent]));
  await untilAsBefore(before);
  await eventually(async () => assert.match(await kubectl('get nodes'), /edge-a\s+Ready/));
  assert.deepEqual(
    processesOf(shell, 'isolate/host').sort(),
    isolates,
    'pods were restarted with their agent',
  );

  process.kill(isolates[0]!, 'SIGKILL');
  await eventually(async () => {
    const after = await pods();
    assert.match(after, / 1 true$/m);
    assert.doesNotMatch(after, /false/);
  }, 60_000);
  assert.equal((await pods()).replace(' 1 true', ' 0 true'), before);

  demo.process.kill('SIGINT');
  assert.equal(await demo.exited, 0, demo.output());
  assert.deepEqual(processesOf(shell), []);
});

/** Processes whose command line or environment names the shell's home, and whose command line has all `parts`. */
function processesOf(shell: Shell, ...parts: string[]): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const commandLine = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      const environment = readFileSync(`/proc/${name}/environ`, 'utf8');
      if (!commandLine.includes(shell.home) && !environment.includes(shell.home)) return [];
      return parts.every((part) => commandLine.includes(part)) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

/** A small CIFAR-10 folder in the official layout, of generated images. */
function writeCifar(shell: Shell): string {
  const folder = join(shell.home, 'cifar');
  mkdirSync(folder);
  const { train, test: held, classNames } = syntheticImages({ train: 1600, test: 200 });
  for (const [file, { images, labels }] of [
    ['data_batch_1.bin', train],
    ['test_batch.bin', held],
  ] as const) {
    const records = new Uint8Array(labels.length * 3073);
    for (const [image, label] of labels.entries()) {
      records[image * 3073] = label;
      for (let i = 0; i < 3072; i++) {
        const [channel, pixel] = [Math.floor(i / 1024), i % 1024];
        records[image * 3073 + 1 + i] = Number(images.data[(image * 1024 + pixel) * 3 + channel]);
      }
    }
    writeFileSync(join(folder, file), records);
  }
  writeFileSync(join(folder, 'batches.meta.txt'), `${classNames.join('\n')}\n`);
  return folder;
}
