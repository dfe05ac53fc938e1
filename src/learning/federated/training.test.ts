import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Clock, FakeClock, systemClock } from '../../base/clock.ts';
import { isStatus, StatusError } from '../../base/errors.ts';
import { type ClientOptions, type LocalTrainer, takePart } from './client.ts';
import { Coordinator } from './coordinator.ts';
import { openRoundFolder } from './round-folder.ts';
import { createCoordinatorServer } from './server.ts';
import type { ServingOffer } from './serving-offer.ts';
import type { FederatedSettings } from './settings.ts';
import { clientToken } from './tokens.ts';
import { encodeUpdate } from './update-file.ts';

const parameters = [{ name: 'w', shape: [4], offset: 0, size: 4 }];
const key = 'a key';
const settings: FederatedSettings = {
  rounds: 3,
  clientsExpected: 2,
  clientsPerRound: undefined,
  quorum: 1,
  deadlineMs: 60_000,
  staleness: 0,
  clipNorm: undefined,
  noiseMultiplier: 0,
  delta: 1e-5,
  seed: 1,
};

async function temporary(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'selvage-rounds-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

interface Opened {
  folder: string;
  clock?: typeof systemClock;
  changes?: Partial<FederatedSettings>;
}

const said: string[] = [];
async function openCoordinator({ folder, clock = systemClock, changes }: Opened) {
  return Coordinator.open({
    settings: { ...settings, ...changes },
    parameters,
    initialWeights: new Float32Array(4),
    folder: await openRoundFolder(folder),
    clock,
    say: (text) => said.push(text),
    onChange: () => {},
  });
}

/** A client whose weights go half of the way to a goal of its own in each round. */
const trainerOf = (goal: number, changes: Partial<LocalTrainer> = {}): LocalTrainer => ({
  parameters,
  form: { shape: [2] },
  samples: 10,
  evaluate: async (weights) => ({ examples: 5, metrics: { loss: Math.abs(weights[0]! - goal) } }),
  train: async (weights) => weights.map((weight) => weight + (goal - weight) / 2),
  ...changes,
});

const update = (values: number[], samples = 10) => ({
  bytes: encodeUpdate(Float32Array.from(values), parameters),
  samples,
});

interface Served {
  url: string;
  dismissed: Set<string>;
  close(): void;
}

async function serve(
  t: TestContext,
  coordinator: Coordinator,
  serving?: () => Promise<ServingOffer>,
): Promise<Served> {
  const dismissed = new Set<string>();
  const server = createCoordinatorServer({
    key,
    join: async () => {},
    coordinator: () => coordinator,
    serving,
    onDismissed: (client) => dismissed.add(client),
    onFailure: (error) => said.push(String(error)),
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const timer = setInterval(() => void coordinator.tick(), 50);
  const close = () => {
    clearInterval(timer);
    server.close();
    server.closeAllConnections();
  };
  t.after(close);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, dismissed, close };
}

/** A second of waiting is a twentieth here. */
const hurried: Clock = {
  nowMs: () => systemClock.nowMs(),
  after: (delayMs, action) => systemClock.after(delayMs / 20, action),
};

const clientOf = (
  url: string,
  name: string,
  trainer: LocalTrainer,
  changes: Partial<ClientOptions> = {},
) => ({
  url,
  name,
  token: clientToken(key, name),
  trainer,
  clipNorm: undefined,
  staleness: 0,
  encoding: 'float32' as const,
  clock: hurried,
  say: (text: string) => void said.push(`${name}: ${text}`),
  signal: AbortSignal.timeout(60_000),
  ...changes,
});

test('clients train over HTTP, send their updates, measure the final weights and are dismissed', async (t) => {
  const coordinator = await openCoordinator({ folder: await temporary(t) });
  const { url, dismissed } = await serve(t, coordinator);
  await Promise.all([
    takePart(clientOf(url, 'a', trainerOf(1))),
    takePart(clientOf(url, 'b', trainerOf(3), { encoding: 'int8' })),
  ]);
  // Half of the way to 2, three times.
  for (const weight of coordinator.weights) assert.ok(Math.abs(weight - 1.75) < 0.01, `${weight}`);
  const { phase, last, final } = coordinator.state;
  assert.equal(phase, 'done');
  assert.deepEqual([last?.participants, last?.dropped], [2, 0]);
  assert.equal(final?.examples, 10);
  assert.deepEqual([...dismissed].sort(), ['a', 'b']);
});

const measuring = (accuracy: number, examples: number): Partial<LocalTrainer> => ({
  evaluate: async () => ({ examples, metrics: { accuracy: 0.5 } }),
  measureServing: async (onnx) => {
    assert.equal(Buffer.from(onnx).toString(), 'the model in service');
    return { accuracy };
  },
});

test('clients measure the model in service on the same examples as the joined one', async (t) => {
  const coordinator = await openCoordinator({ folder: await temporary(t), changes: { rounds: 1 } });
  let asked = 0;
  const { url } = await serve(t, coordinator, async () => {
    asked += 1;
    return { image: 'oci://models/old', onnx: Buffer.from('the model in service') };
  });
  await Promise.all([
    takePart(clientOf(url, 'a', trainerOf(1, measuring(0.25, 30)))),
    takePart(clientOf(url, 'b', trainerOf(2, measuring(0.65, 10)))),
  ]);
  assert.equal(asked, 2);
  assert.deepEqual(coordinator.state.final, {
    examples: 40,
    metrics: { accuracy: 0.5 },
    serving: { metrics: { accuracy: 0.35 } },
  });
});

test('where one client cannot measure the model in service nothing is compared, and it is said why', async (t) => {
  const coordinator = await openCoordinator({ folder: await temporary(t), changes: { rounds: 1 } });
  const onnx = Buffer.from('the model in service');
  const { url } = await serve(t, coordinator, async () => ({ onnx }));
  const failing = async () => {
    throw new Error('it takes [-1, 8], the data are [5, 2]');
  };
  await Promise.all([
    takePart(clientOf(url, 'a', trainerOf(1, measuring(0.2, 30)))),
    takePart(clientOf(url, 'b', trainerOf(2, { ...measuring(0.6, 10), measureServing: failing }))),
  ]);
  assert.deepEqual(coordinator.state.final!.serving, {
    problem: '"b" has not measured it: it takes [-1, 8], the data are [5, 2]',
  });
  const other = await openCoordinator({ folder: await temporary(t), changes: { rounds: 1 } });
  const away = await serve(t, other, async () => ({ problem: 'there is no InferenceService "mine"' }));
  await Promise.all([
    takePart(clientOf(away.url, 'a', trainerOf(1, measuring(0.2, 30)))),
    takePart(clientOf(away.url, 'b', trainerOf(2, measuring(0.6, 10)))),
  ]);
  assert.match(other.state.final!.serving!.problem!, /there is no InferenceService "mine"$/);
});

test('a client that sends rubbish spoils no round and does not hold it up', async (t) => {
  const coordinator = await openCoordinator({
    folder: await temporary(t),
    changes: { clientsExpected: 5, rounds: 2, clipNorm: 10 },
  });
  const { url } = await serve(t, coordinator);
  const fills = (value: number): LocalTrainer =>
    trainerOf(0, { train: async (weights) => weights.map(() => value) });
  const shaped = trainerOf(0, {
    parameters: [{ name: 'w', shape: [4], offset: 0, size: 4 }],
  });
  const stop = new AbortController();
  const bad = [
    takePart(clientOf(url, 'nan', fills(Number.NaN), { signal: stop.signal })),
    takePart(clientOf(url, 'huge', fills(1e20), { signal: stop.signal })),
    takePart(clientOf(url, 'many', { ...shaped, samples: 1e15 }, { signal: stop.signal })),
  ];
  await Promise.all([...bad, ...['a', 'b'].map((name) => takePart(clientOf(url, name, trainerOf(2))))]);
  for (const weight of coordinator.weights) assert.ok(Math.abs(weight - 1.5) < 0.01, `${weight}`);
  assert.equal(coordinator.state.refused, 6);
});

test('a killed coordinator goes on with the round, the weights and the updates that it had', async (t) => {
  const folder = await temporary(t);
  const clock = new FakeClock();
  const first = await openCoordinator({ folder, clock });
  for (const client of ['a', 'b']) first.taskOf(client);
  await first.tick();
  await first.receive('a', 1, update([1, 1, 1, 1]));
  await first.receive('b', 1, update([3, 3, 3, 3]));
  await first.tick();
  await first.receive('a', 2, update([1, 0, 0, 0]));
  // No word of farewell: another one opens what is on the disk.
  const second = await openCoordinator({ folder, clock });
  assert.equal(second.state.round, 2);
  assert.deepEqual([...second.weights], [2, 2, 2, 2]);
  assert.deepEqual(second.taskOf('a'), { kind: 'wait', round: 2 });
  assert.deepEqual(second.taskOf('b'), { kind: 'train', round: 2 });
  await second.receive('a', 2, update([9, 9, 9, 9]));
  await second.receive('b', 2, update([0, 1, 0, 0]));
  assert.deepEqual([...second.weights], [2.5, 2.5, 2, 2]);
  assert.equal(second.state.round, 3);
});

test('a client that dies in a round is waited for until the deadline, and missed no longer after it', async (t) => {
  const clock = new FakeClock();
  const coordinator = await openCoordinator({ folder: await temporary(t), clock });
  for (const client of ['a', 'b']) coordinator.taskOf(client);
  await coordinator.tick();
  await coordinator.receive('a', 1, update([1, 1, 1, 1]));
  assert.equal(coordinator.state.round, 1);
  await clock.advance(settings.deadlineMs);
  coordinator.taskOf('a');
  await coordinator.tick();
  assert.deepEqual([coordinator.state.round, coordinator.state.last?.dropped], [2, 1]);
  await coordinator.tick();
  assert.deepEqual(coordinator.state.cohort, ['a']);
});

test('a late update within the bound joins the round at hand with less weight', async (t) => {
  const clock = new FakeClock();
  const changes = { staleness: 1 };
  const coordinator = await openCoordinator({ folder: await temporary(t), clock, changes });
  for (const client of ['a', 'b']) coordinator.taskOf(client);
  await coordinator.tick();
  await coordinator.receive('a', 1, update([1, 0, 0, 0]));
  await clock.advance(settings.deadlineMs);
  coordinator.taskOf('a');
  await coordinator.tick();
  await coordinator.tick();
  await coordinator.receive('b', 1, update([0, 1, 0, 0]));
  await coordinator.receive('a', 2, update([1, 0, 0, 0]));
  const [own, late] = coordinator.weights;
  assert.equal(own, 1.5);
  assert.ok(Math.abs(late! - 2 ** -0.5 / 2) < 1e-6);
  assert.equal(coordinator.state.last?.late, 1);
});

test('private rounds add noise, and forget who sent what', async (t) => {
  const folder = await openRoundFolder(await temporary(t));
  const changes = { noiseMultiplier: 1, clipNorm: 2, clientsPerRound: 2 };
  let drawn = 0;
  const coordinator = await Coordinator.open({
    settings: { ...settings, ...changes },
    parameters,
    initialWeights: new Float32Array(4),
    folder,
    clock: new FakeClock(),
    say: () => {},
    onChange: () => {},
    normal: () => {
      drawn += 1;
      return 1;
    },
  });
  for (const client of ['a', 'b']) coordinator.taskOf(client);
  await coordinator.tick();
  await coordinator.receive('a', 1, update([1, 0, 0, 0]));
  await coordinator.receive('b', 1, update([0, 2, 0, 0], 1000));
  assert.equal(drawn, 4);
  // ([1, 2, 0, 0] + 1 · 2) / 2, whatever their examples.
  assert.deepEqual([...coordinator.weights], [1.5, 2, 1, 1]);
  assert.equal(coordinator.state.privateRounds, 1);
  await assert.rejects(folder.readUpdate(1, 'a'), /ENOENT/);
});

test('only the bearer of a client’s own token may speak for it', async (t) => {
  const { url } = await serve(t, await openCoordinator({ folder: await temporary(t) }));
  const ask = async (client: string, token: string | undefined) => {
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return (await fetch(`${url}/v1/clients/${client}/task`, { headers })).status;
  };
  assert.equal(await ask('a', clientToken(key, 'a')), 200);
  assert.equal(await ask('a', clientToken(key, 'b')), 401);
  assert.equal(await ask('a', undefined), 401);
  assert.equal(await ask('..', clientToken(key, '..')), 404);
  assert.equal(await ask('%2e%2e%2f', clientToken(key, '%2e%2e%2f')), 401);
});

test('a body beyond its bound is refused, said or not, and what is no update too', async (t) => {
  const coordinator = await openCoordinator({ folder: await temporary(t) });
  const { url } = await serve(t, coordinator);
  const headers = { authorization: `Bearer ${clientToken(key, 'a')}`, 'selvage-samples': '10' };
  const send = async (path: string, body: BodyInit, more = {}) => {
    const init = { method: 'PUT', body, headers: { ...headers, ...more }, duplex: 'half' };
    return (await fetch(`${url}/v1/clients/a/rounds/1/${path}`, init as RequestInit)).status;
  };
  assert.equal(await send('update', new Uint8Array(2 * 1024 * 1024)), 413);
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(256 * 1024)),
  });
  assert.ok([413, 0].includes(await send('update', endless).catch(() => 0)));
  assert.equal(await send('update', 'rubbish'), 422);
  assert.equal(await send('figures', '{}'), 422);
  assert.equal(await send('figures', '['), 400);
  assert.equal(await send('update', 'x', { 'selvage-figures': '{"examples":-1}' }), 422);
});

test('a client outlasts a coordinator that is away, and one that refuses it for good tells why', async (t) => {
  const folder = await temporary(t);
  const coordinator = await openCoordinator({ folder, changes: { clientsExpected: 1 } });
  const { url } = await serve(t, coordinator);
  let calls = 0;
  const flaky: typeof fetch = async (...request) => {
    calls += 1;
    if (calls % 4 === 0) throw new TypeError('the link is down');
    return fetch(...request);
  };
  let trainings = 0;
  const counting = trainerOf(1, {
    train: async (weights) => {
      trainings += 1;
      return weights.map(() => 1);
    },
  });
  await takePart(clientOf(url, 'a', counting, { fetch: flaky }));
  assert.equal(trainings, 3, 'an update that was not received is sent again, not made again');
  assert.equal(coordinator.state.phase, 'done');
  const stranger = clientOf(url, 'b', trainerOf(1), { token: 'guessed' });
  await assert.rejects(takePart(stranger), (error) => isStatus(error, 'Unauthorized'));
});

test('a training that nobody wants any more is ended', async (t) => {
  const never = clientOf('http://coordinator', 'a', trainerOf(1), {
    clock: new FakeClock(),
    trainer: trainerOf(1, {
      train: (weights, _round, signal) =>
        new Promise((resolve) => signal.addEventListener('abort', () => resolve(weights))),
    }),
  });
  const clock = never.clock as FakeClock;
  let round = 1;
  const answers: typeof fetch = async (url) => {
    const path = String(url);
    if (path.endsWith('/weights'))
      return new Response(encodeUpdate(new Float32Array(4), parameters) as never);
    if (path.endsWith('/update')) throw new StatusError('Conflict', 'must not be sent');
    return Response.json(round > 2 ? { kind: 'done' } : { kind: 'train', round });
  };
  let isOver = false;
  const part = takePart({ ...never, fetch: answers }).then(() => {
    isOver = true;
  });
  await clock.advance(4_000);
  round = 3;
  while (!isOver) await clock.advance(1_000);
  await part;
  t.diagnostic('ended');
});
