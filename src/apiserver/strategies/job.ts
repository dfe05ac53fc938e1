import { controllerUidLabel, type Job, jobNameLabel } from '../../api/kinds/job.ts';
import type { Strategy } from './strategy.ts';

/** A Job selects its pods by its own UID unless its writer takes that on; so no two Jobs share pods. */
export const jobStrategy: Strategy<Job> = {
  prepareCreate({ metadata, spec }) {
    if (!spec?.template || spec.manualSelector) return;
    const { uid = '', name = '' } = metadata ?? {};
    const template = { ...spec.template.metadata };
    if (metadata && template.labels && Object.keys(metadata.labels ?? {}).length === 0) {
      metadata.labels = { ...template.labels };
    }
    const generated = {
      'controller-uid': uid,
      'job-name': name,
      [controllerUidLabel]: uid,
      [jobNameLabel]: name,
    };
    spec.template.metadata = { ...template, labels: { ...generated, ...template.labels } };
    const { matchLabels } = spec.selector ?? {};
    spec.selector = { ...spec.selector, matchLabels: { ...matchLabels, [controllerUidLabel]: uid } };
  },
};
