import { integer, intOrString, list, object, oneOf, required, string, type TypeOf } from '../schema.ts';

export const execAction = object('io.k8s.api.core.v1.ExecAction', {
  command: list(string()),
});
export type ExecAction = TypeOf<typeof execAction>;

export const httpHeader = object('io.k8s.api.core.v1.HTTPHeader', {
  name: required(string()),
  value: required(string()),
});
export type HTTPHeader = TypeOf<typeof httpHeader>;

export const httpGetAction = object('io.k8s.api.core.v1.HTTPGetAction', {
  host: string(),
  httpHeaders: list(httpHeader),
  path: string(),
  port: required(intOrString()),
  scheme: oneOf(['HTTP', 'HTTPS']),
});
export type HTTPGetAction = TypeOf<typeof httpGetAction>;

export const tcpSocketAction = object('io.k8s.api.core.v1.TCPSocketAction', {
  host: string(),
  port: required(intOrString()),
});
export type TCPSocketAction = TypeOf<typeof tcpSocketAction>;

export const grpcAction = object('io.k8s.api.core.v1.GRPCAction', {
  port: required(integer()),
  service: string(),
});
export type GRPCAction = TypeOf<typeof grpcAction>;

export const sleepAction = object('io.k8s.api.core.v1.SleepAction', {
  seconds: required(integer()),
});
export type SleepAction = TypeOf<typeof sleepAction>;

export const probe = object('io.k8s.api.core.v1.Probe', {
  exec: execAction,
  failureThreshold: integer(),
  grpc: grpcAction,
  httpGet: httpGetAction,
  initialDelaySeconds: integer(),
  periodSeconds: integer(),
  successThreshold: integer(),
  tcpSocket: tcpSocketAction,
  terminationGracePeriodSeconds: integer(),
  timeoutSeconds: integer(),
});
export type Probe = TypeOf<typeof probe>;

export const lifecycleHandler = object('io.k8s.api.core.v1.LifecycleHandler', {
  exec: execAction,
  httpGet: httpGetAction,
  sleep: sleepAction,
  tcpSocket: tcpSocketAction,
});
export type LifecycleHandler = TypeOf<typeof lifecycleHandler>;

export const lifecycle = object('io.k8s.api.core.v1.Lifecycle', {
  postStart: lifecycleHandler,
  preStop: lifecycleHandler,
  stopSignal: string(),
});
export type Lifecycle = TypeOf<typeof lifecycle>;
