import { defineKind, kindSchema, type ObjectOf } from '../kind.ts';
import { objectReference } from '../parts/meta.ts';
import { integer, microTime, object, required, string, type TypeOf, time } from '../schema.ts';

export const eventSeries = object('io.k8s.api.core.v1.EventSeries', {
  count: integer(),
  lastObservedTime: microTime(),
});
export type EventSeries = TypeOf<typeof eventSeries>;

export const eventSource = object('io.k8s.api.core.v1.EventSource', {
  component: string(),
  host: string(),
});
export type EventSource = TypeOf<typeof eventSource>;

const schema = kindSchema(
  'io.k8s.api.core.v1.Event',
  { apiVersion: 'v1', kind: 'Event' },
  {
    action: string(),
    count: integer(),
    eventTime: microTime(),
    firstTimestamp: time(),
    involvedObject: required(objectReference),
    lastTimestamp: time(),
    message: string(),
    reason: string(),
    related: objectReference,
    reportingComponent: string(),
    reportingInstance: string(),
    series: eventSeries,
    source: eventSource,
    type: string(),
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
  schema,
});
