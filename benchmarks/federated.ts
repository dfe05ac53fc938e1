/** Accuracy of federated training against training on all the same records in one place, where clients drop out.
 *
 *     node benchmarks/federated.ts [--data FOLDER] [--records N] [--clients 10] [--drop 0.3] [--rounds 20] [--epochs 5]
 *       [--central-epochs 40] [--staleness N] [--mu M] [--int8] [--clip-norm C --noise Z] [--seed 0] [--json]
 *
 * The coordinator is the real one, with its files; the clients are functions in this process, one after the other, and
 * the time of a round's deadline is simulated. Without --data, on generated images.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { FakeClock } from '../src/base/clock.ts';
import { cifar10Network } from '../src/cli/training/network.ts';
import { Coordinator } from '../src/learning/federated/coordinator.ts';
import { localTrainer } from '../src/learning/federated/local-trainer.ts';
import { partitionByDirichlet, partitionEvenly } from '../src/learning/federated/partition.ts';
import { epsilonOf } from '../src/learning/federated/privacy.ts';
import { openRoundFolder } from '../src/learning/federated/round-folder.ts';
import { type FederatedSettings, samplingRateOf } from '../src/learning/federated/settings.ts';
import { encodeUpdate } from '../src/learning/federated/update-file.ts';
import { clipToNorm } from '../src/learning/federated/vector.ts';
import { pickExamples, takeExamples } from '../src/learning/trainer/split-examples.ts';
import type { Examples } from '../src/learning/trainer/training-data.ts';
import * as ml from '../src/ml/index.ts';
import { permutation, randomGenerator } from '../src/ml/random.ts';

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    records: { type: 'string' },
    clients: { type: 'string', default: '10' },
    drop: { type: 'string', default: '0.3' },
    rounds: { type: 'string', default: '20' },
    // Of a client in a round: with 2, ten clients have not learned all they can after 20 rounds.
    epochs: { type: 'string', default: '5' },
    // Chosen without a search.
    'central-epochs': { type: 'string', default: '40' },
    staleness: { type: 'string', default: '0' },
    mu: { type: 'string' },
    int8: { type: 'boolean', default: false },
    'clip-norm': { type: 'string' },
    noise: { type: 'string', default: '0' },
    seed: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
  },
});
const [clients, rounds, epochs, seed] = [values.clients, values.rounds, values.epochs, values.seed].map(
  Number,
) as [number, number, number, number];
const centralEpochs = Number(values['central-epochs']);
const dropped = Math.round(clients * Number(values.drop));
const clipNorm = values['clip-norm'] === undefined ? undefined : Number(values['clip-norm']);
const batchSize = 32;
const deadlineMs = 60_000;

const settings: FederatedSettings = {
  rounds,
  clientsExpected: clients,
  clientsPerRound: undefined,
  quorum: 1,
  deadlineMs,
  staleness: Number(values.staleness),
  clipNorm,
  noiseMultiplier: Number(values.noise),
  delta: 1e-5,
  seed,
};

const dir = values.data;
const source = dir ? await ml.loadCifar10({ dir }) : ml.syntheticImages({ train: 4000, test: 1000 });
const all: Examples = { x: source.train.images, y: source.train.labels };
const train = takeExamples(all, 0, Number(values.records ?? Number.POSITIVE_INFINITY));
const test: Examples = { x: source.test.images, y: source.test.labels };
const count = train.x.shape[0]!;

function network(): ml.TrainableModel {
  const model = cifar10Network(seed);
  const optimizer = values.mu === undefined ? ml.adam() : ml.proximal(ml.adam(), { mu: Number(values.mu) });
  model.compile({ optimizer, loss: ml.sparseCategoricalCrossentropy({ fromLogits: true }) });
  return model;
}

const accuracyOf = async (model: ml.TrainableModel): Promise<number> =>
  (await model.evaluate(test.x, test.y)).accuracy;

async function central(): Promise<number> {
  const model = network();
  await model.fit(train.x, train.y, { epochs: centralEpochs, batchSize });
  const accuracy = await accuracyOf(model);
  await model.close();
  return accuracy;
}

interface Outcome {
  accuracy: number;
  /** Of one update. */
  bytes: number;
  participants: number;
  late: number;
  epsilon: number | undefined;
}

async function federated(parts: Uint32Array[]): Promise<Outcome> {
  const model = network();
  const folder = await mkdtemp(join(tmpdir(), 'selvage-federated-'));
  const clock = new FakeClock();
  const trainers = await Promise.all(
    parts.map((part, index) => {
      const own = { train: pickExamples(train, part), test, shape: [32, 32, 3], examples: part.length };
      const data = { ...own, classNames: undefined, source: '' };
      return localTrainer({ model, data, epochs, batchSize, seed: seed + index + 1 });
    }),
  );
  const { parameters } = trainers[0]!;
  const coordinator = await Coordinator.open({
    settings,
    parameters,
    initialWeights: model.weights.slice(),
    folder: await openRoundFolder(folder),
    clock,
    say: () => {},
    onChange: () => {},
  });
  const random = randomGenerator(seed + 77);
  const { signal } = new AbortController();
  let [bytes, participants, late] = [0, 0, 0];
  /** Updates that were ready after their round's deadline. */
  let held: (() => Promise<void>)[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const tasks = parts.map((_, index) => coordinator.taskOf(`client-${index}`));
    if (tasks.every(({ kind }) => kind === 'wait')) {
      await coordinator.tick();
      round -= 1;
      continue;
    }
    const start = coordinator.weights;
    const out = new Set(permutation(clients, random).subarray(0, dropped));
    const arriveLate = held;
    held = [];
    for (const send of arriveLate) await send();
    for (const [index, trainer] of trainers.entries()) {
      const mayBeLate = settings.staleness > 0;
      if (tasks[index]!.kind !== 'train' || (out.has(index) && !mayBeLate)) continue;
      const trained = await trainer.train(start, round, signal);
      const delta = trained.map((weight, at) => weight - start[at]!);
      const kept = clipNorm === undefined ? delta : clipToNorm(delta, clipNorm);
      const file = encodeUpdate(kept, parameters, values.int8 ? 'int8' : 'float32');
      bytes = file.length;
      const send = () =>
        coordinator.receive(`client-${index}`, round, { bytes: file, samples: trainer.samples });
      if (out.has(index)) held.push(send);
      else await send();
    }
    await clock.advance(deadlineMs);
    for (const index of parts.keys()) coordinator.taskOf(`client-${index}`);
    await coordinator.tick();
    participants += coordinator.state.last?.participants ?? 0;
    late += coordinator.state.last?.late ?? 0;
    if (!values.json && process.stderr.isTTY) process.stderr.write(`\rround ${round}/${rounds} `);
  }
  model.weights = coordinator.weights;
  const accuracy = await accuracyOf(model);
  await model.close();
  await rm(folder, { recursive: true });
  const { noiseMultiplier, delta } = settings;
  const cost = { samplingRate: samplingRateOf(settings), noiseMultiplier, rounds, delta };
  const epsilon = noiseMultiplier > 0 ? epsilonOf(cost) : undefined;
  return { accuracy, bytes, participants: participants / rounds, late: late / rounds, epsilon };
}

const labels = train.y as ArrayLike<number>;
const partitions = {
  IID: partitionEvenly(count, clients, randomGenerator(seed + 1)),
  'Dirichlet(0.5)': partitionByDirichlet(labels, {
    clients,
    concentration: 0.5,
    random: randomGenerator(seed + 1),
  }),
};
const baseline = await central();
const outcomes: Record<string, Outcome> = {};
for (const [name, parts] of Object.entries(partitions)) outcomes[name] = await federated(parts);

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
if (values.json)
  console.log(JSON.stringify({ count, clients, rounds, epochs, centralEpochs, central: baseline, outcomes }));
else {
  const what = dir ? `CIFAR-10 records of ${dir}` : 'generated images';
  console.log(
    `${count} ${what}, ${clients} clients, ${dropped} drop out of each round, ${rounds} rounds of ${epochs} epochs`,
  );
  console.log(
    `central         ${percent(baseline).padStart(7)}   ${centralEpochs} epochs on the same records`,
  );
  for (const [name, { accuracy, bytes, participants, late, epsilon }] of Object.entries(outcomes)) {
    const more = [
      `${(accuracy / baseline).toFixed(3)} of central`,
      `${participants.toFixed(1)} updates a round of ${bytes} bytes`,
      ...(late > 0 ? [`${late.toFixed(1)} late ones`] : []),
      ...(epsilon === undefined ? [] : [`epsilon ${epsilon.toFixed(1)} at delta ${settings.delta}`]),
    ];
    console.log(`${name.padEnd(15)} ${percent(accuracy).padStart(7)}   ${more.join(', ')}`);
  }
}
