// The built-in coordinator of a federated training, an isolate: leads the rounds of what $TRAINING_JOB says, keeps each
// on its volume, tells the API server how far it is, and pushes the joined model.
import { join } from 'node:path';
import { sleep, systemClock } from '../../base/clock.ts';
import { messageOf, StatusError } from '../../base/errors.ts';
import type { TrainableModel } from '../../ml/index.ts';
import { accountFolder, clusterCalls } from '../trainer/cluster-calls.ts';
import { failPod } from '../trainer/fail-pod.ts';
import { mountedAt, readJob } from '../trainer/job.ts';
import * as places from '../trainer/places.ts';
import { createStatusReporter } from '../trainer/status-reporter.ts';
import { HopelessError } from '../trainer/train.ts';
import { makeModel } from '../trainer/trained-model.ts';
import { Coordinator } from './coordinator.ts';
import { statusOf } from './progress.ts';
import { type DataForm, openRoundFolder } from './round-folder.ts';
import { createCoordinatorServer } from './server.ts';
import { offerServing, type ServingOffer } from './serving-offer.ts';
import { settingsOf } from './settings.ts';

const tickMs = 1_000;
/** How long clients have to hear that the rounds are over. */
const dismissalMs = 15_000;

const { env } = process;
const job = readJob(env);
const at = mountedAt(env);
const { spec } = job;
const clock = systemClock;
const say = (text: string) => console.log(text);
const cluster = clusterCalls(job, at(accountFolder) ?? accountFolder);
const reporter = createStatusReporter({ send: cluster.patchStatus, clock, say });
process.on('SIGTERM', () => process.exit(143));

try {
  if (!spec.federated) throw new HopelessError('spec.federated: Required value');
  const settings = settingsOf(spec.federated, {
    clientsExpected: Number(env[places.clientCountVariable]),
    seed: spec.seed ?? 0,
  });
  // A claim may hold the rounds of several jobs.
  const checkpoints = at(places.checkpointsFolder) ?? places.checkpointsFolder;
  const folder = await openRoundFolder(join(checkpoints, `${job.name}-${job.uid}`));
  const startedMs = clock.nowMs();
  let begun: { model: TrainableModel; coordinator: Coordinator } | undefined;
  let joining: Promise<unknown> = Promise.resolve();
  const failed = Promise.withResolvers<never>();
  const dismissed = new Set<string>();
  let firstRound: number | undefined;

  /** What the model is made for is known once a client has said what its examples look like. */
  async function begin({ shape, classNames }: DataForm): Promise<void> {
    const { seed = 0 } = spec;
    const context = { seed, shape, classNames };
    const model = await makeModel(spec, context, at(places.moduleFolder)).catch((cause: Error) => {
      throw new HopelessError(cause.message, { cause });
    });
    const coordinator = await Coordinator.open({
      settings,
      parameters: model.architecture.layers.flatMap((layer) => layer.parameters),
      initialWeights: model.weights,
      folder,
      clock,
      say,
      onChange: (state) => {
        firstRound ??= state.round;
        reporter.tell(statusOf(state, settings, { nowMs: clock.nowMs(), startedMs, firstRound }));
      },
    });
    firstRound = coordinator.state.round;
    begun = { model, coordinator };
    say(`${model.name}: ${model.architecture.parameterCount} parameters, ${settings.rounds} rounds`);
  }

  async function takeIn(client: string, form: DataForm): Promise<void> {
    const known = await folder.dataForm();
    if (known && JSON.stringify(known) !== JSON.stringify(form)) {
      const problem = `the examples of "${client}" are ${told(form)}; those of the others are ${told(known)}`;
      say(problem);
      throw new StatusError('Conflict', problem);
    }
    if (!begun) await begin(form);
    if (!known) await folder.saveDataForm(form);
    say(`"${client}" has joined`);
  }

  const known = await folder.dataForm();
  if (known) await begin(known);
  let offer: Promise<ServingOffer> | undefined;
  const { promote } = spec;
  /** Fetched when the first client asks: in service is what is there when the rounds are over. */
  function serving(inferenceService: string): Promise<ServingOffer> {
    const files = at(places.workFolder) ?? places.workFolder;
    offer ??= offerServing({ inferenceService, cluster, rounds: folder, folder: files, clock, say });
    return offer;
  }
  const server = createCoordinatorServer({
    key: env[places.keyVariable] ?? '',
    join: (client, form) => {
      const result = joining.then(() => takeIn(client, form));
      joining = result.catch(() => {});
      result.catch((error: unknown) => {
        if (error instanceof HopelessError) failed.reject(error);
      });
      return result;
    },
    coordinator: () => begun?.coordinator,
    serving: promote && (() => serving(promote.inferenceService)),
    onDismissed: (client) => dismissed.add(client),
    onFailure: (error) => console.error(messageOf(error)),
  });
  server.listen(places.coordinatorPort);

  while (begun?.coordinator.state.phase !== 'done') {
    await Promise.race([sleep(clock, tickMs), failed.promise]);
    await begun?.coordinator.tick();
  }
  const { model, coordinator } = begun;
  const { state } = coordinator;
  model.weights = coordinator.weights;
  const { metrics = {}, examples } = state.final ?? {};
  const untilMs = clock.nowMs() + dismissalMs;
  const image = spec.output && (await delivered(model, metrics, spec.output, (await folder.dataForm())!));
  await reporter.insist({
    ...statusOf(state, settings, { nowMs: clock.nowMs(), startedMs, firstRound }),
    result: {
      metrics,
      ...(examples !== undefined && { examples }),
      parameters: model.architecture.parameterCount,
      ...(image && { image }),
      ...(promote && { serving: { image: await folder.servingImage(), ...state.final?.serving } }),
    },
  });
  const awaited = state.evaluations.map(({ client }) => client);
  while (clock.nowMs() < untilMs && !awaited.every((client) => dismissed.has(client))) {
    await sleep(clock, tickMs);
  }
  process.exit(0);
} catch (error) {
  failPod(error, at);
}

async function delivered(
  model: TrainableModel,
  metrics: Record<string, number>,
  output: string,
  { classNames }: DataForm,
): Promise<string> {
  const { deliver } = await import('../trainer/deliver.ts');
  const folder = at(places.workFolder) ?? places.workFolder;
  const { registry } = cluster;
  return deliver(
    { model, metrics, data: { classNames } },
    { output, model: spec.model, registry, folder, clock, say },
  );
}

function told({ shape, classNames }: DataForm): string {
  const classes = classNames ? ` of the classes ${classNames.join(', ')}` : '';
  return `[${shape.join(', ')}]${classes}`;
}
