// The built-in trainer, an isolate: trains what $TRAINING_JOB says on the data of its node, from the last checkpoint on,
// pushes the model, and measures what is in service on the same test set. It tells the API server how far it is.
import { availableParallelism } from 'node:os';
import type { TrainingResult } from '../../api/kinds/trainingJob.ts';
import { systemClock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import { accountFolder, clusterCalls } from './cluster-calls.ts';
import { failPod } from './fail-pod.ts';
import { mountedAt, readJob } from './job.ts';
import { checkpointsFolder, dataFolder, moduleFolder, workFolder } from './places.ts';
import { createStatusReporter } from './status-reporter.ts';
import { type Trained, train } from './train.ts';
import { untilReachable } from './until-reachable.ts';

const job = readJob(process.env);
const at = mountedAt(process.env);
const say = (text: string) => console.log(text);
const cluster = clusterCalls(job, at(accountFolder) ?? accountFolder);
const reporter = createStatusReporter({ send: cluster.patchStatus, clock: systemClock, say });
const [clock, folder] = [systemClock, at(workFolder) ?? workFolder];

// Asked to end, a trainer has not succeeded: what it has is in its checkpoint.
process.on('SIGTERM', () => process.exit(143));

try {
  const trained = await train(job, {
    folders: {
      data: at(dataFolder),
      module: at(moduleFolder),
      checkpoints: at(checkpointsFolder) ?? checkpointsFolder,
    },
    clock,
    write: (text) => process.stdout.write(text),
    tell: (progress) => reporter.tell({ progress }),
  });
  await reporter.insist({ result: await resultOf(trained) });
  process.exit(0);
} catch (error) {
  failPod(error, at);
}

async function resultOf(trained: Trained): Promise<TrainingResult> {
  const { model, data, metrics } = trained;
  const { output, promote } = job.spec;
  const { test } = data;
  const examples = 'batches' in test ? undefined : test.x.shape[0]!;
  const image = output && (await delivered(trained, output));
  return {
    metrics,
    parameters: model.architecture.parameterCount,
    ...(examples !== undefined && { examples }),
    ...(image && { image }),
    ...(promote && { serving: await servingOf(trained, promote) }),
  };
}

async function delivered(trained: Trained, output: string): Promise<string> {
  const { deliver } = await import('./deliver.ts');
  const { registry } = cluster;
  return deliver(trained, { output, model: job.spec.model, registry, folder, clock, say });
}

/** What is in service now, on the examples that the new model was measured with. */
async function servingOf(
  { model, data }: Trained,
  { inferenceService, metric = 'accuracy' }: NonNullable<typeof job.spec.promote>,
): Promise<NonNullable<TrainingResult['serving']>> {
  const { fetchModel, measureServing, readServing } = await import('./serving-model.ts');
  let image: string | undefined;
  try {
    const link = { clock, say, what: 'the comparison with the model in service' };
    const { spec } = await untilReachable(() => cluster.inferenceService(inferenceService), link);
    const uri = spec?.predictor.model?.storageUri ?? '';
    image = uri;
    const from = { registry: cluster.registry, folder, clock };
    const fetched = await untilReachable(() => fetchModel(uri, from), link);
    const threads = job.spec.threads ?? availableParallelism();
    const value = await measureServing(await readServing(fetched), data.test, {
      metric,
      loss: model.loss!,
      threads,
    });
    say(`the model in service, ${image}: ${metric} ${value.toFixed(4)}`);
    return { image, metrics: { [metric]: value } };
  } catch (error) {
    const problem = messageOf(error);
    say(`the model in service can't be measured: ${problem}`);
    return { ...(image && { image }), problem };
  }
}
