// The built-in client of a federated training, an isolate: takes part in the rounds of the coordinator at
// $FEDERATED_COORDINATOR with the data of its node.
import { systemClock } from '../../base/clock.ts';
import { failPod } from '../trainer/fail-pod.ts';
import { mountedAt, readJob } from '../trainer/job.ts';
import * as places from '../trainer/places.ts';
import { HopelessError, prepare } from '../trainer/train.ts';
import { compileOptions } from '../trainer/trained-model.ts';
import { takePart } from './client.ts';
import { dealtData } from './dealt-data.ts';
import { localTrainer } from './local-trainer.ts';

const { env } = process;
const job = readJob(env);
const at = mountedAt(env);
const { spec } = job;
const { federated, seed = 0, batchSize = 32, epochs = 1 } = spec;
const say = (text: string) => console.log(text);
const stop = new AbortController();
process.on('SIGTERM', () => process.exit(143));

try {
  if (!federated) throw new HopelessError('spec.federated: Required value');
  const { progressBar, proximal } = await import('../../ml/index.ts');
  const { model, data: all } = await prepare(job, {
    data: at(places.dataFolder),
    module: at(places.moduleFolder),
  });
  const [index = 1, count = 1] = (env[places.placeVariable] ?? '1/1').split('/').map(Number);
  const { partition } = federated;
  const data = partition
    ? dealtData(all, { place: [index - 1, count], concentration: partition.concentration, seed })
    : all;
  if (federated.algorithm === 'FedProx') {
    const options = await compileOptions(spec);
    model.compile({ ...options, optimizer: proximal(options.optimizer, { mu: federated.mu ?? 0 }) });
  }
  const callbacks = [progressBar({ write: (text) => process.stdout.write(text) })];
  const { promote } = spec;
  const comparedMetric = promote && (promote.metric ?? 'accuracy');
  const options = { epochs, batchSize, seed: seed + index, callbacks, comparedMetric };
  const trainer = await localTrainer({ model, data, ...options });
  say(
    `${model.name}: ${model.architecture.parameterCount} parameters, ${trainer.samples} examples of ${data.source}`,
  );
  await takePart({
    url: env[places.coordinatorVariable] ?? '',
    name: env[places.clientVariable] ?? '',
    token: env[places.tokenVariable] ?? '',
    trainer,
    clipNorm: federated.clipNorm,
    staleness: federated.staleness ?? 0,
    encoding: federated.encoding ?? 'float32',
    clock: systemClock,
    say,
    signal: stop.signal,
  });
  say('the rounds are over');
  process.exit(0);
} catch (error) {
  failPod(error, at);
}
