import { isEqualSemantically } from '../api/equal.ts';
import {
  autoUpdateSpec,
  mandatoryFlowSchemas,
  mandatoryPriorityLevels,
  suggestedFlowSchemas,
  suggestedPriorityLevels,
} from '../api/flow-control-bootstrap.ts';
import { type FlowSchema, flowSchema } from '../api/kinds/flowSchema.ts';
import {
  type PriorityLevelConfiguration,
  priorityLevelConfiguration,
} from '../api/kinds/priorityLevelConfiguration.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import { isStatus } from '../base/errors.ts';
import type { Running } from '../base/lifecycle.ts';
import { type Context, runController, source } from './controller.ts';
import { withCondition, writeStatus } from './write-status.ts';

type Configured = KubeObject & { spec?: unknown };

/** What a level or schema that every cluster has should be; undefined where it is as it should be. Pure. */
export function restored<T extends Configured>(
  present: T | undefined,
  wanted: T,
  isMandatory: boolean,
): T | undefined {
  if (!present) return wanted;
  const { metadata, spec } = present;
  const annotation = metadata?.annotations?.[autoUpdateSpec];
  const isUnchanged = metadata?.generation === undefined || metadata.generation === 1;
  // Without a word on it, what was never changed follows ours, and what somebody changed is theirs.
  const isFollowed = isMandatory || annotation === 'true' || (annotation === undefined && isUnchanged);
  const shown = String(isFollowed);
  const isTold = annotation === shown || (!isFollowed && annotation !== undefined);
  const isRight = !isFollowed || isEqualSemantically(spec, wanted.spec);
  if (isTold && isRight) return undefined;
  const annotations = { ...metadata?.annotations, ...(!isTold && { [autoUpdateSpec]: shown }) };
  return { ...present, metadata: { ...metadata, annotations }, ...(isFollowed && { spec: wanted.spec }) };
}

/** The condition Dangling of a flow schema: whether its priority level is missing. Pure. */
export function danglingOf(schema: FlowSchema, hasLevel: boolean) {
  const name = JSON.stringify(schema.spec?.priorityLevelConfiguration.name);
  const what = `This FlowSchema references the PriorityLevelConfiguration object named ${name}`;
  return hasLevel
    ? { type: 'Dangling', status: 'False', reason: 'Found', message: `${what} and it exists` }
    : {
        type: 'Dangling',
        status: 'True',
        reason: 'NotFound',
        message: `${what} but there is no such object`,
      };
}

/**
 * Keeps the flow schemas and priority levels that every cluster has, and says of every flow schema whether its level
 * is there. Source: https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#defaults
 */
export function run(context: Context): Running {
  const { client, clock, informers } = context;
  const schemas = informers.of(flowSchema);
  const levels = informers.of(priorityLevelConfiguration);

  async function restore<T extends Configured>(kind: KindAddress<T>, present: T | undefined, known: Known) {
    const next = restored(present, known.wanted as T, known.isMandatory);
    if (!next) return;
    try {
      if (present) await client.update(kind, next);
      else await client.create(kind, next);
    } catch (error) {
      if (!isStatus(error, 'AlreadyExists')) throw error;
    }
  }

  async function reconcile(key: string): Promise<undefined> {
    const [plural, name] = key.split('/') as [string, string];
    if (plural === priorityLevelConfiguration.plural) {
      const known = knownLevels.get(name);
      // What may be changed of `exempt` is not ours.
      const present = levels.get(name);
      if (known && !(present && name === 'exempt')) await restore(priorityLevelConfiguration, present, known);
      return;
    }
    const known = knownSchemas.get(name);
    const schema = schemas.get(name);
    if (known) await restore(flowSchema, schema, known);
    if (!schema) return;
    const level = levels.get(schema.spec?.priorityLevelConfiguration.name ?? '');
    const dangling = danglingOf(schema, level !== undefined);
    const lastTransitionTime = new Date(clock.nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');
    const conditions = withCondition(
      (schema.status?.conditions ?? []) as (typeof dangling)[],
      { ...dangling, lastTransitionTime } as typeof dangling,
    );
    await writeStatus(client, flowSchema, schema, { ...schema.status, conditions });
  }

  const keyOf = (kind: { plural: string }, name: string | undefined) => `${kind.plural}/${name}`;
  return runController(context, {
    name: 'flow-control',
    sources: [
      source(flowSchema, ({ object }) => [keyOf(flowSchema, object.metadata?.name)]),
      source(priorityLevelConfiguration, ({ object, type }) => [
        keyOf(priorityLevelConfiguration, object.metadata?.name),
        ...(type === 'modified' ? [] : referring(schemas.list(), object)),
      ]),
    ],
    reconcile,
  });

  function referring(all: readonly FlowSchema[], { metadata }: PriorityLevelConfiguration): string[] {
    return all
      .filter(({ spec }) => spec?.priorityLevelConfiguration.name === metadata?.name)
      .map((schema) => keyOf(flowSchema, schema.metadata?.name));
  }
}

interface Known {
  wanted: Configured;
  isMandatory: boolean;
}

const knownLevels = known(mandatoryPriorityLevels, suggestedPriorityLevels);
const knownSchemas = known(mandatoryFlowSchemas, suggestedFlowSchemas);

function known(mandatory: readonly Configured[], suggested: readonly Configured[]): Map<string, Known> {
  const entries = [
    ...mandatory.map((wanted) => ({ wanted, isMandatory: true })),
    ...suggested.map((wanted) => ({ wanted, isMandatory: false })),
  ];
  return new Map(entries.map((each) => [each.wanted.metadata!.name!, each]));
}
