import { isContained } from '../api/equal.ts';
import { type Deployment, deployment as deploymentKind } from '../api/kinds/deployment.ts';
import {
  type InferenceService,
  inferenceService as inferenceServiceKind,
} from '../api/kinds/inferenceService.ts';
import { type Service, service as serviceKind } from '../api/kinds/service.ts';
import type { KindAddress, KubeObject } from '../api/object.ts';
import type { Running } from '../base/lifecycle.ts';
import type { Change } from '../client/cache.ts';
import { subjectOf } from '../client/events.ts';
import type { Informer } from '../client/informer.ts';
import { type Context, runController, source } from './controller.ts';
import { plan, predictorName, statusOf } from './inference-service/plan.ts';
import { controllerOf, isControlledBy } from './owner.ts';
import { writeStatus } from './write-status.ts';

/** Runs each InferenceService's model as a Deployment and a Service. */
export function run(context: Context): Running {
  const { client, clock, informers } = context;
  const inferences = informers.of(inferenceServiceKind);
  const deployments = informers.of(deploymentKind);
  const services = informers.of(serviceKind);
  const events = context.recorder('inferenceservice-controller');

  async function reconcile(key: string): Promise<undefined> {
    const inference = inferences.get(key);
    if (!inference || inference.metadata?.deletionTimestamp) return;
    const wanted = plan(inference);
    let problem = 'problem' in wanted ? wanted.problem : undefined;
    let deployment: Deployment | undefined;
    if (!('problem' in wanted)) {
      const made = await ensure(inference, deploymentKind, deployments, wanted.deployment);
      const service = await ensure(inference, serviceKind, services, wanted.service);
      deployment = made.object;
      problem = made.problem ?? service.problem;
    }
    if (problem)
      events.record(subjectOf(inferenceServiceKind, inference), 'Warning', 'InvalidPredictor', problem);
    await writeStatus(
      client,
      inferenceServiceKind,
      inference,
      statusOf(inference, deployment, clock.nowMs(), problem),
    );
  }

  /** Makes `wanted` so: what it says is set, what it leaves open (defaults, a scale by hand of others) stays. */
  async function ensure<T extends Deployment | Service>(
    inference: InferenceService,
    kind: KindAddress<T>,
    informer: Informer<T>,
    wanted: T,
  ): Promise<{ object?: T; problem?: string }> {
    const key = `${inference.metadata?.namespace}/${predictorName(inference)}`;
    const present = informer.get(key);
    if (!present) return { object: await client.create(kind, wanted) };
    if (!isControlledBy(present, inference)) {
      return {
        problem: `${kind.kind} "${key}" is there already and belongs to someone else; delete or rename it`,
      };
    }
    if (isContained(wanted, present)) return { object: present };
    const metadata = {
      ...present.metadata,
      labels: { ...present.metadata?.labels, ...wanted.metadata?.labels },
    };
    // A Service keeps the address that it was given; everything else is as the model asks.
    const spec = kind.kind === 'Service' ? { ...present.spec, ...wanted.spec } : wanted.spec;
    return { object: await client.update(kind, { ...present, metadata, spec } as T) };
  }

  const ownerKey = ({ object }: Change<KubeObject>): string[] => {
    const owner = controllerOf(object);
    return owner?.kind === 'InferenceService' ? [`${object.metadata?.namespace}/${owner.name}`] : [];
  };
  return runController(context, {
    name: 'inferenceservice',
    sources: [
      source(inferenceServiceKind, ({ key }) => [key]),
      source(deploymentKind, ownerKey),
      source(serviceKind, ownerKey),
    ],
    reconcile,
  });
}
