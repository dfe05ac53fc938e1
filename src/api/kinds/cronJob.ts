import { parseCronSchedule } from '../cron-schedule.ts';
import { ageOf } from '../duration.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { labelSelectorText } from '../label-selector.ts';
import { jobSpec } from '../parts/job.ts';
import { objectMeta, objectReference } from '../parts/meta.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import {
  boolean,
  integer,
  list,
  object,
  oneOf,
  refine,
  required,
  string,
  type TypeOf,
  time,
} from '../schema.ts';
import { ageColumn, nameColumn } from '../table.ts';
import { isTimeZone } from '../time-zone.ts';
import { validateAnnotations, validateLabels } from '../validate-metadata.ts';

export const jobTemplateSpec = object(
  'io.k8s.api.batch.v1.JobTemplateSpec',
  { metadata: objectMeta, spec: jobSpec },
  {
    doc: 'What new jobs look like.',
    check({ metadata, spec }, at, report) {
      validateLabels(metadata?.labels, at.child('metadata').child('labels'), report);
      validateAnnotations(metadata?.annotations, at.child('metadata').child('annotations'), report);
      if (spec === undefined) report.required(at.child('spec').child('template'));
      if (spec?.selector) {
        report.invalid(
          at.child('spec').child('selector'),
          spec.selector,
          '`selector` will be auto-generated',
        );
      }
      if (spec?.manualSelector) {
        report.unsupported(at.child('spec').child('manualSelector'), true, ['nil', 'false']);
      }
    },
  },
);
export type JobTemplateSpec = TypeOf<typeof jobTemplateSpec>;

export const cronJobSpec = object(
  'io.k8s.api.batch.v1.CronJobSpec',
  {
    concurrencyPolicy: oneOf(['Allow', 'Forbid', 'Replace'], {
      doc: 'What to do when the job before still runs.',
      default: 'Allow',
    }),
    failedJobsHistoryLimit: integer({ doc: 'How many failed jobs are kept.', default: 1, min: 0 }),
    jobTemplate: required(jobTemplateSpec),
    schedule: required(
      string({ doc: 'When: minute, hour, day of month, month, day of week; or @hourly and the like.' }),
    ),
    startingDeadlineSeconds: integer({ doc: 'How late a job may start.', min: 0 }),
    successfulJobsHistoryLimit: integer({ doc: 'How many completed jobs are kept.', default: 3, min: 0 }),
    suspend: boolean({ doc: 'Whether no further jobs are started.', default: false }),
    timeZone: string({ doc: "The schedule's time zone; the server's if absent." }),
  },
  { check: checkSchedule },
);
export type CronJobSpec = TypeOf<typeof cronJobSpec>;

export const cronJobStatus = object('io.k8s.api.batch.v1.CronJobStatus', {
  active: list(objectReference, { doc: 'Jobs that run.' }),
  lastScheduleTime: time({ doc: 'When a job was due last and started.' }),
  lastSuccessfulTime: time({ doc: 'When a job completed last.' }),
});
export type CronJobStatus = TypeOf<typeof cronJobStatus>;

const schema = kindSchema(
  'io.k8s.api.batch.v1.CronJob',
  { apiVersion: 'batch/v1', kind: 'CronJob' },
  { spec: refine(cronJobSpec, { default: {} }), status: cronJobStatus },
  'CronJob starts a job at each time of its schedule.',
);

export interface CronJob extends ObjectOf<typeof schema> {}

/** The names of its jobs get eleven characters more. */
const nameCharactersMax = 52;

export const cronJob = defineKind<CronJob>({
  group: 'batch',
  version: 'v1',
  kind: 'CronJob',
  plural: 'cronjobs',
  shortNames: ['cj'],
  categories: ['all'],
  namespaced: true,
  schema,
  subresources: { status: true },
  columns: [
    nameColumn,
    { name: 'Schedule', doc: 'When jobs are due.', value: ({ spec }) => spec?.schedule ?? '' },
    { name: 'Timezone', doc: "The schedule's time zone.", value: ({ spec }) => spec?.timeZone ?? '<none>' },
    {
      name: 'Suspend',
      type: 'boolean',
      doc: 'Whether no jobs are started.',
      value: ({ spec }) => (spec?.suspend ? 'True' : 'False'),
    },
    {
      name: 'Active',
      type: 'integer',
      doc: 'Jobs that run.',
      value: ({ status }) => status?.active?.length ?? 0,
    },
    {
      name: 'Last Schedule',
      doc: 'How long ago a job was due and started.',
      value: ({ status }, nowMs) =>
        status?.lastScheduleTime ? ageOf(status.lastScheduleTime, nowMs) : '<none>',
    },
    ageColumn,
    {
      name: 'Containers',
      priority: 1,
      doc: "The template's containers.",
      value: (each) => join(each, 'name'),
    },
    { name: 'Images', priority: 1, doc: "The template's images.", value: (each) => join(each, 'image') },
    {
      name: 'Selector',
      priority: 1,
      doc: "The jobs' selector.",
      value: ({ spec }) => labelSelectorText(spec?.jobTemplate?.spec?.selector) || '<none>',
    },
  ],
  check({ metadata }, report, root) {
    const name = metadata?.name ?? '';
    if (name.length > nameCharactersMax) {
      const at = root.child('metadata').child('name');
      report.invalid(at, name, `must be no more than ${nameCharactersMax} characters`);
    }
  },
});

function join({ spec }: CronJob, field: 'name' | 'image'): string {
  const containers = spec?.jobTemplate?.spec?.template?.spec?.containers ?? [];
  return containers.map((container) => container[field] ?? '').join(',');
}

function checkSchedule(spec: { schedule: string; timeZone?: string }, at: Path, report: Report): void {
  const { schedule, timeZone } = spec;
  const scheduleAt = at.child('schedule');
  if (/^(CRON_)?TZ=/.test(schedule)) {
    const wrong = timeZone === undefined ? '' : 'both timeZone field and ';
    const advice = timeZone === undefined ? ', use timeZone field instead' : '';
    report.invalid(scheduleAt, schedule, `cannot use ${wrong}TZ or CRON_TZ in schedule${advice}`);
  } else if (schedule) {
    try {
      parseCronSchedule(schedule, 'UTC');
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      report.invalid(scheduleAt, schedule, error.message);
    }
  }
  const zoneAt = at.child('timeZone');
  if (timeZone === '') report.invalid(zoneAt, timeZone, 'timeZone must be nil or non-empty string');
  else if (timeZone?.toLowerCase() === 'local') {
    report.invalid(
      zoneAt,
      timeZone,
      'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones',
    );
  } else if (timeZone !== undefined && !isTimeZone(timeZone)) {
    report.invalid(zoneAt, timeZone, `unknown time zone ${timeZone}`);
  }
}
