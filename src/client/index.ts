export * from '../api/object.ts';
export { systemClock } from '../base/clock.ts';
export { isStatus, type Status, StatusError, type StatusReason } from '../base/errors.ts';
export { createLog, silentLog } from '../base/log.ts';
export { type Change, type Indexers, keyOf, splitKey } from './cache.ts';
export * from './client.ts';
export { createClient } from './create-client.ts';
export { createEventRecorder, type EventRecorder, type EventSubject, subjectOf } from './events.ts';
export {
  type Credentials,
  type HttpTransport,
  type HttpTransportOptions,
  httpTransport,
} from './http-transport.ts';
export { createInformer, type Informer, type InformerOptions } from './informer.ts';
export * from './transport.ts';
export { createWorkQueue, type WorkQueue, type WorkQueueOptions } from './work-queue.ts';
