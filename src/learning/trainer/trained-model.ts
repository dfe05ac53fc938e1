import { existsSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isClassifying, type TrainingJobSpec, type TrainingModel } from '../../api/parts/trainingJob.ts';
import type { CompileOptions, Loss, Metric, MetricSpec, Optimizer, TrainableModel } from '../../ml/index.ts';

/** What a model's module is told, where its default export is a function. */
export interface ModelContext {
  seed: number;
  threads?: number;
  /** Of one example. */
  shape: number[];
  classNames: string[] | undefined;
}

/** The model of the specification, with fresh weights, compiled.
 * @throws Error that says which field is wrong. */
export async function makeModel(
  spec: Pick<TrainingJobSpec, 'model'> & Compiled,
  context: ModelContext,
  moduleFolder: string | undefined,
): Promise<TrainableModel> {
  const { keras, module } = spec.model;
  const model = module
    ? await fromModule(join(moduleFolder ?? '/', module.path ?? defaultPath), context)
    : await fromKeras(keras, context);
  model.compile(await compileOptions(spec));
  await checkServing(spec.model, model);
  return model;
}

/** What would stop the export is said before the training. */
async function checkServing(
  { labels, preprocess, postprocess }: TrainingModel,
  { architecture }: TrainableModel,
) {
  const { checkPostprocess, checkPreprocess } = await import('../../ml/export/steps.ts');
  const outputs = architecture.outputShape.at(-1);
  if (labels && labels.length !== outputs)
    throw new Error(
      `spec.model.labels: Invalid value: ${labels.length} names: the model has ${outputs} outputs`,
    );
  try {
    checkPreprocess(preprocess);
    checkPostprocess(postprocess);
  } catch (error) {
    throw new Error(`spec.model.${(error as Error).message}`, { cause: error });
  }
}

const defaultPath = 'app/model.ts';

async function fromKeras(
  keras: string | undefined,
  { seed, threads }: ModelContext,
): Promise<TrainableModel> {
  const { fromJSON } = await import('../../ml/index.ts');
  try {
    return fromJSON(keras, { seed, ...(threads && { threads }) });
  } catch (error) {
    throw new Error(`spec.model.keras: ${(error as Error).message}`, { cause: error });
  }
}

/** The module's own import of `selvage/ml` is this very library, so that no image needs a copy of it. */
async function fromModule(path: string, context: ModelContext): Promise<TrainableModel> {
  if (!existsSync(path)) {
    throw new Error(`spec.model.module.path: the image has no ${path.split('/').slice(-2).join('/')}`);
  }
  const library = import.meta.resolve('../../ml/index.ts');
  const hooks = registerHooks({
    resolve: (specifier, its, next) =>
      specifier === 'selvage/ml' ? { url: library, shortCircuit: true } : next(specifier, its),
  });
  try {
    const { default: exported } = (await import(pathToFileURL(path).href)) as { default?: unknown };
    const made = typeof exported === 'function' ? await exported(context) : exported;
    const { TrainableModel } = await import('../../ml/index.ts');
    if (made instanceof TrainableModel) return made;
  } finally {
    hooks.deregister();
  }
  throw new Error(
    `spec.model.module: the default export must be a model, as sequential([…]) makes it, or a function that gives one`,
  );
}

type Compiled = Pick<TrainingJobSpec, 'loss' | 'optimizer' | 'metrics' | 'promote'>;

/** The names of the specification as selvage/ml's own functions. */
export async function compileOptions({
  loss,
  optimizer,
  metrics,
  promote,
}: Compiled): Promise<CompileOptions> {
  const ml = await import('../../ml/index.ts');
  const { name, ...lossArguments } = loss;
  const { name: optimizerName = 'adam', ...optimizerArguments } = optimizer ?? {};
  // Each takes what it knows of the arguments; the specification holds numbers and truth values only.
  const makeLoss = ml[name] as (options: typeof lossArguments) => Loss;
  const makeOptimizer = ml[optimizerName] as (options: typeof optimizerArguments) => Optimizer;
  const otherwise = isClassifying(name) ? ['accuracy'] : ['mae'];
  const wanted = new Set([...(metrics ?? otherwise), ...(promote ? [promote.metric ?? 'accuracy'] : [])]);
  return {
    loss: makeLoss(lossArguments),
    optimizer: makeOptimizer(optimizerArguments),
    metrics: await Promise.all([...wanted].map(metricNamed)),
  };
}

/** Its figure has the name that the specification has for it. */
async function metricNamed(name: string): Promise<Metric> {
  const ml = await import('../../ml/index.ts');
  // Of the names in the specification these are words, the others functions.
  if (name === 'accuracy' || name === 'mae' || name === 'mse') return name;
  const make = ml[name as 'auc'] as (options: { name: string }) => MetricSpec;
  return make({ name });
}

/** The metric as what counts it, for a model with this loss and number of outputs. */
export async function metricSpec(name: string, loss: Loss, outputs: number): Promise<MetricSpec> {
  const { resolveMetrics } = await import('../../ml/metrics/metric.ts');
  return resolveMetrics([await metricNamed(name)], [], loss, outputs)[0]!;
}
