import { isEqualSemantically } from '../equal.ts';
import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { objectReference } from '../parts/meta.ts';
import type { Path } from '../path.ts';
import type { Report } from '../report.ts';
import { integer, microTime, object, refine, string, time } from '../schema.ts';
import { checkEvent, type Event, event, eventSource } from './event.ts';

const series = object('io.k8s.api.events.v1.EventSeries', {
  count: integer({ doc: 'How often so far.' }),
  lastObservedTime: microTime({ doc: 'When last.' }),
});

const schema = kindSchema(
  'io.k8s.api.events.v1.Event',
  { apiVersion: 'events.k8s.io/v1', kind: 'Event' },
  {
    action: string({ doc: 'What was done; at most 128 characters.' }),
    deprecatedCount: integer({ doc: 'How often it happened, where it was reported through the core group.' }),
    deprecatedFirstTimestamp: time({ doc: 'When it happened first, where reported through the core group.' }),
    deprecatedLastTimestamp: time({ doc: 'When it happened last, where reported through the core group.' }),
    deprecatedSource: refine(eventSource, { doc: 'Who reports it, where through the core group.' }),
    eventTime: microTime({ doc: 'When it happened first.' }),
    note: string({ doc: 'What happened, for people; at most 1,024 characters.' }),
    reason: string({ doc: 'Why, in one word, for programs; at most 128 characters.' }),
    regarding: refine(objectReference, { doc: 'What it happened to.' }),
    related: refine(objectReference, { doc: 'A second object that it is about.' }),
    reportingController: string({ doc: 'Who reports it, e.g. example.com/controller.' }),
    reportingInstance: string({ doc: 'Which instance reports it; at most 128 characters.' }),
    series,
    type: string({ doc: 'Normal or Warning.' }),
  },
  'Event reports something that happened to an object. Events are kept for a limited time.',
);

export interface EventsV1Event extends ObjectOf<typeof schema> {}

/** The same events as those of the core group, with the names and the stricter rules of their own group. */
export const eventsV1Event = defineKind<EventsV1Event>({
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
  schema,
  storedAs: { kind: event, toStored, fromStored },
  check: (next, report, root) => checkEvent(toStored(next), report, root, 'reportingController'),
  checkCreate,
  checkUpdate,
  selectableFields: {
    'regarding.kind': ({ regarding }) => regarding?.kind ?? '',
    'regarding.namespace': ({ regarding }) => regarding?.namespace ?? '',
    'regarding.name': ({ regarding }) => regarding?.name ?? '',
    'regarding.uid': ({ regarding }) => regarding?.uid ?? '',
    'regarding.apiVersion': ({ regarding }) => regarding?.apiVersion ?? '',
    'regarding.resourceVersion': ({ regarding }) => regarding?.resourceVersion ?? '',
    'regarding.fieldPath': ({ regarding }) => regarding?.fieldPath ?? '',
    reason: ({ reason }) => reason ?? '',
    reportingController: ({ reportingController }) => reportingController ?? '',
    type: ({ type }) => type ?? '',
  },
});

function toStored(served: EventsV1Event): Event {
  const { apiVersion: _, note, regarding, reportingController, ...rest } = served;
  const { deprecatedCount, deprecatedFirstTimestamp, deprecatedLastTimestamp, deprecatedSource, ...same } =
    rest;
  return {
    ...same,
    apiVersion: 'v1',
    involvedObject: regarding ?? {},
    ...(deprecatedCount !== undefined && { count: deprecatedCount }),
    ...(deprecatedFirstTimestamp !== undefined && { firstTimestamp: deprecatedFirstTimestamp }),
    ...(deprecatedLastTimestamp !== undefined && { lastTimestamp: deprecatedLastTimestamp }),
    ...(deprecatedSource !== undefined && { source: deprecatedSource }),
    ...(note !== undefined && { message: note }),
    ...(reportingController !== undefined && { reportingComponent: reportingController }),
  };
}

function fromStored(stored: Event): EventsV1Event {
  const { apiVersion: _, involvedObject, message, reportingComponent, ...rest } = stored;
  const { count, firstTimestamp, lastTimestamp, source, ...same } = rest;
  return {
    ...(same as Omit<EventsV1Event, 'apiVersion'>),
    apiVersion: 'events.k8s.io/v1',
    regarding: involvedObject ?? {},
    ...(count !== undefined && { deprecatedCount: count }),
    ...(firstTimestamp !== undefined && { deprecatedFirstTimestamp: firstTimestamp }),
    ...(lastTimestamp !== undefined && { deprecatedLastTimestamp: lastTimestamp }),
    ...(source !== undefined && { deprecatedSource: source }),
    ...(message !== undefined && { note: message }),
    ...(reportingComponent !== undefined && { reportingController: reportingComponent }),
  };
}

// Kubernetes names the fields as the core group does, also here.
function checkCreate(next: EventsV1Event, report: Report, root: Path): void {
  checkSeries(next, report, root);
  if (!next.eventTime) report.required(root.child('eventTime'));
  if (next.type !== 'Normal' && next.type !== 'Warning') {
    report.invalid(root.child('type'), '', `has invalid value: ${next.type ?? ''}`);
  }
  const { count, firstTimestamp, lastTimestamp, source } = toStored(next);
  const isFrom = Boolean(source?.component || source?.host);
  for (const [field, isSet] of Object.entries({ firstTimestamp, lastTimestamp, count, source: isFrom })) {
    if (isSet) report.invalid(root.child(field), '', 'needs to be unset');
  }
}

function checkSeries({ series }: EventsV1Event, report: Report, root: Path): void {
  if (!series) return;
  if ((series.count ?? 0) < 2) report.invalid(root.child('series.count'), '', 'should be at least 2');
  if (!series.lastObservedTime) report.required(root.child('series.lastObservedTime'));
}

const fixed = [
  'involvedObject',
  'reason',
  'message',
  'source',
  'firstTimestamp',
  'lastTimestamp',
  'count',
  'type',
  'eventTime',
  'action',
  'related',
  'reportingComponent',
  'reportingInstance',
] as const;

/** Only the series of an event goes on. */
function checkUpdate(next: EventsV1Event, previous: EventsV1Event, report: Report, root: Path): void {
  if (!isEqualSemantically(next.series, previous.series)) checkSeries(next, report, root);
  const [after, before] = [toStored(next), toStored(previous)];
  for (const field of fixed) {
    if (isEqualSemantically(after[field], before[field])) continue;
    const at = root.child(field === 'reportingComponent' ? 'reportingController' : field);
    report.invalid(at, after[field], 'field is immutable');
  }
}
