import type { InferenceService, ModelSpec } from '../../api/kinds/inferenceService.ts';
import type { ServingRuntime } from '../../api/kinds/servingRuntime.ts';
import type { ServingRuntimeSpec, SupportedModelFormat } from '../../api/parts/servingRuntime.ts';
import type { Refusal } from './refusal.ts';

/** A ServingRuntime of the namespace, or a ClusterServingRuntime. */
type Runtime = Pick<ServingRuntime, 'metadata' | 'spec'>;

export interface Runtimes {
  own: readonly Runtime[];
  cluster: readonly Runtime[];
}

export interface ChosenRuntime {
  name: string;
  isCluster: boolean;
  spec: ServingRuntimeSpec;
}

/** As KServe reads them: of a runtime that serves several, the one that comes first here counts. */
const protocols = ['v1', 'v2', 'grpc-v1', 'grpc-v2'];

/**
 * What serves the predictor's model: the runtime that it names, or else the best that may be given to its format. Undefined for
 * a predictor without a model, and for an image of its own in a format that nothing else serves.
 * Source: KServe, `GetSupportingRuntimes`.
 */
export function runtimeOf(
  { spec }: InferenceService,
  runtimes: Runtimes,
): ChosenRuntime | Refusal | undefined {
  const { model } = spec!.predictor;
  if (!model) return undefined;
  if (model.runtime) return namedRuntime(model, model.runtime, runtimes);
  const [chosen] = [...supporting(model, runtimes.own, false), ...supporting(model, runtimes.cluster, true)];
  return chosen ?? (model.image ? undefined : noneFound(model, runtimes));
}

export function isRefusal(told: object): told is Refusal {
  return 'reason' in told;
}

/** In its namespace first. */
function namedRuntime(model: ModelSpec, name: string, { own, cluster }: Runtimes): ChosenRuntime | Refusal {
  const at = `spec.predictor.model.runtime: Invalid value: "${name}"`;
  const isNamed = ({ metadata }: Runtime) => metadata?.name === name;
  const ofNamespace = own.find(isNamed);
  const spec = (ofNamespace ?? cluster.find(isNamed))?.spec;
  if (!spec)
    return {
      reason: 'RuntimeNotRecognized',
      message: 'Waiting for runtime to become available',
      detail: `${at}: No ServingRuntimes or ClusterServingRuntimes with the name: ${name}`,
    };
  if (spec.disabled)
    return {
      reason: 'RuntimeDisabled',
      message: 'Specified runtime is disabled',
      detail: `${at}: specified runtime ${name} is disabled`,
    };
  const unsupported = (what: string): Refusal => ({
    reason: 'NoSupportingRuntime',
    message: `Specified runtime does not support specified ${what}`,
    detail: `${at}: specified runtime ${name} does not support specified ${what}`,
  });
  if (model.protocolVersion && !speaks(spec, model.protocolVersion)) return unsupported('protocol version');
  if (!spec.supportedModelFormats?.some((each) => isOf(each, model))) return unsupported('framework/version');
  return { name, isCluster: !ofNamespace, spec };
}

/** The best first: by the priority that is given for the format, else the newest. */
function supporting(model: ModelSpec, runtimes: readonly Runtime[], isCluster: boolean): ChosenRuntime[] {
  return runtimes
    .filter(({ spec }) => spec && isOpen(spec) && formatFor(spec, model) && speaks(spec, protocolOf(model)))
    .map((runtime) => ({ runtime, priority: priorityOf(runtime.spec!, model) }))
    .sort((a, b) => b.priority - a.priority || byAge(a.runtime, b.runtime))
    .map(({ runtime: { metadata, spec } }) => ({ name: metadata?.name ?? '', isCluster, spec: spec! }));
}

const isOpen = ({ disabled, multiModel, workerSpec }: ServingRuntimeSpec): boolean =>
  !disabled && !multiModel && workerSpec === undefined;

function formatFor({ supportedModelFormats = [] }: ServingRuntimeSpec, model: ModelSpec) {
  return supportedModelFormats.find((each) => each.autoSelect && isOf(each, model));
}

function isOf({ name, version }: SupportedModelFormat, { modelFormat }: ModelSpec): boolean {
  return name === modelFormat.name && (!modelFormat.version || version === modelFormat.version);
}

/** KServe's default, where a model names no runtime. */
const protocolOf = ({ protocolVersion }: ModelSpec): string => protocolVersion || 'v1';

function speaks({ protocolVersions = [] }: ServingRuntimeSpec, protocol: string): boolean {
  return protocolVersions.length === 0 || protocolVersions.includes(protocol);
}

function priorityOf({ supportedModelFormats = [] }: ServingRuntimeSpec, { modelFormat }: ModelSpec): number {
  return supportedModelFormats.find(({ name }) => name === modelFormat.name)?.priority ?? 0;
}

function byAge(a: Runtime, b: Runtime): number {
  const rank = ({ spec }: Runtime) =>
    Math.min(
      ...(spec?.protocolVersions ?? []).map((each) => protocols.indexOf(each) + 1),
      protocols.length + 1,
    );
  const born = ({ metadata }: Runtime) => metadata?.creationTimestamp ?? '';
  const name = ({ metadata }: Runtime) => metadata?.name ?? '';
  return rank(a) - rank(b) || compare(born(b), born(a)) || compare(name(a), name(b));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function noneFound(model: ModelSpec, { own, cluster }: Runtimes): Refusal {
  const { name, version } = model.modelFormat;
  const formats = [...own, ...cluster]
    .filter(({ spec }) => spec && isOpen(spec))
    .flatMap(({ spec }) => spec!.supportedModelFormats ?? [])
    .filter(({ autoSelect }) => autoSelect)
    .map((each) => [each.name, each.version].filter(Boolean).join(' '));
  const known = [...new Set(formats)].sort().join(', ') || 'none';
  return {
    reason: 'NoSupportingRuntime',
    message: 'No runtime found to support specified framework/version',
    detail:
      `spec.predictor.model.modelFormat: no runtime found to support predictor with model type: ` +
      `{${[name, version].filter(Boolean).join(' ')}} and protocol ${protocolOf(model)}; there is one for: ${known}. ` +
      'Make a ServingRuntime for it, or name an image that serves it',
  };
}
