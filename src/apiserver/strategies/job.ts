import { controllerUidLabel, type Job, jobNameLabel } from '../../api/kinds/job.ts';
import type { Strategy } from './strategy.ts';

/** A Job selects its pods by its own UID unless its writer takes that on; so no two Jobs share pods. */
export const jobStrategy: Strategy<Job> = {
  orphansByDefault: true,
  warnDelete: ({ propagationPolicy }) =>
    propagationPolicy === undefined
      ? 'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning'
      : undefined,
  prepareCreate({ metadata, spec }) {
    if (!spec?.template || spec.manualSelector) return;
    const { uid = '', name = '' } = metadata ?? {};
    const template = { ...spec.template.metadata };
    const generated = {
      'controller-uid': uid,
      'job-name': name,
      [controllerUidLabel]: uid,
      [jobNameLabel]: name,
    };
    const labels = { ...generated, ...template.labels };
    spec.template.metadata = { ...template, labels };
    // A Job that has no labels of its own has those of its pods.
    if (metadata && template.labels && Object.keys(metadata.labels ?? {}).length === 0) {
      metadata.labels = { ...labels };
    }
    const { matchLabels } = spec.selector ?? {};
    spec.selector = { ...spec.selector, matchLabels: { ...matchLabels, [controllerUidLabel]: uid } };
  },
};
