import { storedVersion } from '../../api/custom/definition/versions.ts';
import type { CustomResourceDefinition } from '../../api/kinds/customResourceDefinition.ts';
import type { Clock } from '../../base/clock.ts';
import { cleanupFinalizer, withCondition } from '../custom-resources/conditions.ts';
import type { Strategy } from './strategy.ts';

/** A definition that is deleted stays until the objects of its kind are gone. */
export const customResourceDefinitionStrategy = (clock: Clock): Strategy => {
  const strategy: Strategy<CustomResourceDefinition> = {
    prepareCreate(definition) {
      delete definition.status;
      noteStoredVersion(definition);
    },
    prepareUpdate(next) {
      noteStoredVersion(next);
    },
    beginDelete(definition) {
      const metadata = definition.metadata!;
      const { finalizers = [] } = metadata;
      if (!finalizers.includes(cleanupFinalizer)) metadata.finalizers = [...finalizers, cleanupFinalizer];
      definition.status = withCondition(definition.status, clock.nowMs(), {
        type: 'Terminating',
        status: 'True',
        reason: 'InstanceDeletionPending',
        message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
      });
    },
  };
  // Strategies are kept by the name of their kind.
  return strategy as Strategy;
};

/** From now on there may be objects that are stored in the storage version. */
function noteStoredVersion(definition: CustomResourceDefinition): void {
  // Not validated yet: there may be no versions.
  const version = definition.spec?.versions && storedVersion(definition);
  const stored = definition.status?.storedVersions ?? [];
  if (!version || stored.includes(version)) return;
  definition.status = { ...definition.status, storedVersions: [...stored, version] };
}
