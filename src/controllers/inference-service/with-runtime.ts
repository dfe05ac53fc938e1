import type { InferenceService, ModelSpec, PredictorSpec } from '../../api/kinds/inferenceService.ts';
import { container as containerSchema } from '../../api/parts/container.ts';
import { podSpec as podSchema } from '../../api/parts/podSpec.ts';
import type { RuntimeContainer, ServingRuntimeSpec } from '../../api/parts/servingRuntime.ts';
import { mergeObject } from '../../api/patch/strategic-merge-patch.ts';
import { isBuiltIn } from './names.ts';
import type { Refusal } from './refusal.ts';
import type { ChosenRuntime } from './runtimes.ts';

const modelContainerName = 'kserve-container';
const httpPort = 8080;

/**
 * The InferenceService with what its runtime says of the pods: a field of the model or predictor comes before the runtime's,
 * lists are merged by their keys, arguments follow the runtime's. Source: KServe, `MergeServingRuntimeAndInferenceServiceSpecs`.
 */
export function withRuntime(
  inference: InferenceService,
  { name, spec: runtime }: ChosenRuntime,
): InferenceService | Refusal {
  const own = runtime.containers.find((each) => each.name === modelContainerName);
  if (!own)
    return invalid(
      'no container configuration found in selected serving runtime',
      `it has no container "${modelContainerName}"`,
    );
  try {
    const { predictor, ...others } = inference.spec!;
    const model = reachable(mergedModel(filled(own, inference), predictor.model!));
    const beside = runtime.containers.filter((each) => each !== own).map((each) => filled(each, inference));
    return {
      ...inference,
      spec: { ...others, predictor: { ...mergedPod(runtime, predictor, beside), model } },
    };
  } catch (error) {
    if (!(error instanceof UnknownPlaceholder)) throw error;
    return invalid(
      `failed to replace placeholders in serving runtime ${name} Container ${error.container}`,
      error.message,
    );
  }
}

function invalid(message: string, why: string): Refusal {
  return {
    reason: 'InvalidPredictorSpec',
    message,
    detail: `spec.predictor.model.runtime: ${message}: ${why}`,
  };
}

/** What the model says of itself is no field of a container, and stays. */
function mergedModel(own: RuntimeContainer, model: ModelSpec): ModelSpec {
  const isField = ([key]: [string, unknown]) => key in containerSchema.fields! && key !== 'name';
  const fields = Object.entries(model).filter(isField);
  const about = Object.entries(model).filter((entry) => !isField(entry));
  const { name: _name, ...merged } = mergeObject(containerSchema, own, Object.fromEntries(fields));
  const args = [...(own.args ?? []), ...(model.args ?? [])];
  // What comes of a merge of two containers has a container's fields.
  return { ...merged, ...Object.fromEntries(about), ...(args.length > 0 && { args }) } as ModelSpec;
}

/** A server of others that doesn't say where it answers is taken to do so at KServe's port. */
function reachable(model: ModelSpec): ModelSpec {
  if (isBuiltIn(model)) return model;
  const ports = model.ports?.length ? model.ports : [{ containerPort: httpPort, protocol: 'TCP' as const }];
  return {
    ...model,
    ports,
    readinessProbe: model.readinessProbe ?? { tcpSocket: { port: ports[0]!.containerPort } },
  };
}

function mergedPod(
  {
    nodeSelector,
    affinity,
    tolerations,
    volumes,
    imagePullSecrets,
    hostIPC,
    labels,
    annotations,
  }: ServingRuntimeSpec,
  predictor: PredictorSpec,
  beside: RuntimeContainer[],
): PredictorSpec {
  const pod = { nodeSelector, affinity, tolerations, volumes, imagePullSecrets, hostIPC };
  const said = Object.fromEntries(Object.entries(pod).filter(([, value]) => value !== undefined));
  const wished = predictor.containers ?? [];
  const containers = [
    ...beside.map((each) => {
      const wish = wished.find(({ name }) => name === each.name);
      return wish ? mergeObject(containerSchema, each, wish) : each;
    }),
    ...wished.filter(({ name }) => beside.every((each) => each.name !== name)),
  ];
  // The predictor's own fields beside a pod's come out as they went in.
  const { containers: _containers, ...rest } = mergeObject(podSchema, said, predictor) as PredictorSpec;
  return {
    ...rest,
    ...(containers.length > 0 && { containers: containers as NonNullable<PredictorSpec['containers']> }),
    ...((labels || predictor.labels) && { labels: { ...labels, ...predictor.labels } }),
    ...((annotations || predictor.annotations) && {
      annotations: { ...annotations, ...predictor.annotations },
    }),
  };
}

/** The container with the InferenceService's metadata in the place of `{{.Name}}` and the like. */
function filled(container: RuntimeContainer, { metadata = {} }: InferenceService): RuntimeContainer {
  const fill = (value: unknown): unknown => {
    if (typeof value === 'string')
      return value.replace(/\{\{\s*(.*?)\s*\}\}/g, (_all, path: string) => {
        const found = fieldAt(metadata, path);
        if (found === undefined) throw new UnknownPlaceholder(container.name, path);
        return found;
      });
    if (Array.isArray(value)) return value.map(fill);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fill(each)]));
  };
  // Only texts have changed.
  return fill(container) as RuntimeContainer;
}

/** `.Name`, `.Labels.tier`: Go's names of what metadata have. A label that is not there is empty, as in Go's templates. */
function fieldAt(metadata: NonNullable<InferenceService['metadata']>, path: string): string | undefined {
  const [, name = '', key] = /^\.([A-Z][A-Za-z]*)(?:\.([\w-]+))?$/.exec(path) ?? [];
  const { labels = {}, annotations = {} } = metadata;
  if (key !== undefined)
    return (
      { Labels: labels, Annotations: annotations }[name]?.[key] ??
      (/^(Labels|Annotations)$/.test(name) ? '' : undefined)
    );
  const { name: ownName = '', namespace = '', generateName = '', uid = '' } = metadata;
  const texts: Record<string, string> = {
    Name: ownName,
    Namespace: namespace,
    GenerateName: generateName,
    UID: uid,
  };
  return Object.hasOwn(texts, name) ? texts[name] : undefined;
}

class UnknownPlaceholder extends Error {
  readonly container: string;

  constructor(container: string, path: string) {
    super(`metadata have no "${path}"`);
    this.container = container;
  }
}
