import {
  mandatoryFlowSchemas,
  mandatoryPriorityLevels,
  suggestedFlowSchemas,
  suggestedPriorityLevels,
} from '../../api/flow-control-bootstrap.ts';
import { flowSchema } from '../../api/kinds/flowSchema.ts';
import { priorityLevelConfiguration } from '../../api/kinds/priorityLevelConfiguration.ts';
import type { KindAddress, KubeObject } from '../../api/object.ts';
import { isStatus } from '../../base/errors.ts';
import { createClient } from '../../client/create-client.ts';
import type { Transport } from '../../client/transport.ts';

/** Makes what is missing of the flow schemas and priority levels that every cluster has; a controller keeps them. */
export async function bootstrapFlowControl(transport: Transport): Promise<void> {
  const client = createClient(transport);
  const ensure = async <T extends KubeObject>(kind: KindAddress<T>, wanted: readonly object[]) => {
    const names = new Set((await client.list(kind)).items.map(({ metadata }) => metadata!.name));
    // They are written as the kinds declare them.
    const missing = (wanted as T[]).filter(({ metadata }) => !names.has(metadata!.name));
    await Promise.all(
      missing.map((one) =>
        client.create(kind, one).catch((error: unknown) => {
          if (!isStatus(error, 'AlreadyExists')) throw error;
        }),
      ),
    );
  };
  await Promise.all([
    ensure(priorityLevelConfiguration, [...mandatoryPriorityLevels, ...suggestedPriorityLevels]),
    ensure(flowSchema, [...mandatoryFlowSchemas, ...suggestedFlowSchemas]),
  ]);
}
