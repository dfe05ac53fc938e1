import { ageOf } from '../duration.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { qualifiedName } from '../names.ts';
import { objectReference } from '../parts/meta.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import { integer, microTime, object, refine, required, string, type TypeOf, time } from '../schema.ts';
import { nameColumn } from '../table.ts';

export const eventSeries = object('io.k8s.api.core.v1.EventSeries', {
  count: integer({ doc: 'How often so far.' }),
  lastObservedTime: microTime({ doc: 'When last.' }),
});
export type EventSeries = TypeOf<typeof eventSeries>;

export const eventSource = object('io.k8s.api.core.v1.EventSource', {
  component: string({ doc: 'Who reports it.' }),
  host: string({ doc: 'On which node.' }),
});
export type EventSource = TypeOf<typeof eventSource>;

const schema = kindSchema(
  'io.k8s.api.core.v1.Event',
  { apiVersion: 'v1', kind: 'Event' },
  {
    action: string({ doc: 'What was done.' }),
    count: integer({ doc: 'How often it happened.' }),
    eventTime: microTime({ doc: 'When it happened first.' }),
    firstTimestamp: time({ doc: 'When it happened first.' }),
    involvedObject: required(refine(objectReference, { doc: 'What it happened to.', default: {} })),
    lastTimestamp: time({ doc: 'When it happened last.' }),
    message: string({ doc: 'What happened, for people.' }),
    reason: string({ doc: 'Why, in one word, for programs.' }),
    related: objectReference,
    reportingComponent: string({ doc: 'Who reports it.', default: '' }),
    reportingInstance: string({ doc: 'Which instance reports it.', default: '' }),
    series: eventSeries,
    source: eventSource,
    type: string({ doc: 'Normal or Warning.' }),
  },
  'Event reports something that happened to an object. Events are kept for a limited time.',
);

export interface Event extends ObjectOf<typeof schema> {}

export const event = defineKind<Event>({
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  namespaced: true,
  isTracked: false,
  schema,
  check: (object, report, root) => checkEvent(object, report, root, 'reportingComponent'),
  columns: [
    { name: 'Last Seen', doc: 'When it happened last.', value: lastSeen },
    { name: 'Type', doc: 'Normal or Warning.', value: (event) => event.type ?? '' },
    { name: 'Reason', doc: 'Why it was reported, in one word.', value: (event) => event.reason ?? '' },
    { name: 'Object', doc: 'What it happened to.', value: objectText },
    {
      name: 'Subobject',
      priority: 1,
      doc: 'The part of the object that it happened to.',
      value: (event) => event.involvedObject.fieldPath ?? '',
    },
    {
      name: 'Source',
      priority: 1,
      doc: 'Who reported it.',
      value: ({ source, reportingComponent, reportingInstance }) =>
        [source?.component || reportingComponent, source?.host || reportingInstance]
          .filter(Boolean)
          .join(', '),
    },
    { name: 'Message', doc: 'What happened.', value: (event) => (event.message ?? '').trim() },
    { name: 'First Seen', priority: 1, doc: 'When it happened first.', value: firstSeen },
    {
      name: 'Count',
      priority: 1,
      doc: 'How often it happened.',
      value: ({ series, count }) => series?.count ?? (count || 1),
    },
    { ...nameColumn, priority: 1 },
  ],
  selectableFields: {
    'involvedObject.kind': (event) => event.involvedObject.kind ?? '',
    'involvedObject.namespace': (event) => event.involvedObject.namespace ?? '',
    'involvedObject.name': (event) => event.involvedObject.name ?? '',
    'involvedObject.uid': (event) => event.involvedObject.uid ?? '',
    'involvedObject.apiVersion': (event) => event.involvedObject.apiVersion ?? '',
    'involvedObject.resourceVersion': (event) => event.involvedObject.resourceVersion ?? '',
    'involvedObject.fieldPath': (event) => event.involvedObject.fieldPath ?? '',
    reason: (event) => event.reason ?? '',
    reportingComponent: (event) => event.reportingComponent ?? '',
    source: (event) => event.source?.component || event.reportingComponent || '',
    type: (event) => event.type ?? '',
  },
});

const reportCharactersMax = 128;
const messageCharactersMax = 1024;

/**
 * What every event has to keep to, in either group; `reporterField` is what the group calls who reports it. An event
 * with an eventTime is one of the newer sort, of which more is asked.
 */
export function checkEvent(event: Event, report: Report, root: Path, reporterField: string): void {
  const namespaceAt = root.child('involvedObject').child('namespace');
  const about = event.involvedObject?.namespace ?? '';
  const place = event.metadata?.namespace ?? '';
  const isNew = Boolean(event.eventTime);
  const fits = about === '' ? place === 'default' || (isNew && place === 'kube-system') : about === place;
  // Of a new event only the lack of a namespace is held against it.
  if (!fits && (about === '' || !isNew)) report.invalid(namespaceAt, about, 'does not match event.namespace');
  if (!isNew) return;
  const reporterAt = root.child(reporterField);
  const reporter = event.reportingComponent ?? '';
  if (reporter === '') report.required(reporterAt);
  for (const wrong of qualifiedName(reporter)) report.invalid(reporterAt, reporter, wrong);
  for (const field of ['reportingInstance', 'action', 'reason'] as const) {
    const text = event[field] ?? '';
    if (text === '') report.required(root.child(field));
    if (text.length > reportCharactersMax) {
      report.invalid(root.child(field), '', `can have at most ${reportCharactersMax} characters`);
    }
  }
  if ((event.message ?? '').length > messageCharactersMax) {
    report.invalid(root.child('message'), '', `can have at most ${messageCharactersMax} characters`);
  }
}

function firstSeen({ firstTimestamp, eventTime }: Event, nowMs: number): string {
  return ageOf(firstTimestamp ?? eventTime, nowMs);
}

function lastSeen({ series, lastTimestamp, firstTimestamp, eventTime }: Event, nowMs: number): string {
  return ageOf(series?.lastObservedTime ?? lastTimestamp ?? firstTimestamp ?? eventTime, nowMs);
}

function objectText({ involvedObject }: Event): string {
  const kind = (involvedObject.kind ?? '').toLowerCase();
  return involvedObject.name ? `${kind}/${involvedObject.name}` : kind;
}
