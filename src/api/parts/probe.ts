import { exactlyOne, portNumberOrName } from '../checks.ts';
import { integer, intOrString, list, object, oneOf, required, string, type TypeOf } from '../schema.ts';

export const execAction = object(
  'io.k8s.api.core.v1.ExecAction',
  { command: required(list(string(), { doc: 'The command and its arguments; no shell is involved.' })) },
  { doc: 'Runs a command in the container; exit status 0 means success.' },
);
export type ExecAction = TypeOf<typeof execAction>;

export const httpHeader = object('io.k8s.api.core.v1.HTTPHeader', {
  name: required(string({ doc: "The header's name." })),
  value: required(string({ doc: "The header's value.", mayBeEmpty: true })),
});
export type HTTPHeader = TypeOf<typeof httpHeader>;

export const httpGetAction = object(
  'io.k8s.api.core.v1.HTTPGetAction',
  {
    path: string({ doc: 'The path to ask for.', default: '/' }),
    port: required(
      intOrString({ doc: 'A port number, or the name of a container port.', check: portNumberOrName }),
    ),
    host: string({ doc: "The host to connect to; the pod's address if absent." }),
    scheme: oneOf(['HTTP', 'HTTPS'], { doc: 'HTTP or HTTPS.', default: 'HTTP' }),
    httpHeaders: list(httpHeader, { doc: 'Headers to send.' }),
  },
  { doc: 'An HTTP GET; a status from 200 to 399 means success.' },
);
export type HTTPGetAction = TypeOf<typeof httpGetAction>;

export const tcpSocketAction = object(
  'io.k8s.api.core.v1.TCPSocketAction',
  {
    port: required(
      intOrString({ doc: 'A port number, or the name of a container port.', check: portNumberOrName }),
    ),
    host: string({ doc: "The host to connect to; the pod's address if absent." }),
  },
  { doc: 'Opens a TCP connection; being accepted means success.' },
);
export type TCPSocketAction = TypeOf<typeof tcpSocketAction>;

export const grpcAction = object(
  'io.k8s.api.core.v1.GRPCAction',
  {
    port: required(integer({ doc: 'The port of the gRPC service.', min: 1, max: 65535 })),
    service: string({ doc: 'The service name in the health request.', default: '' }),
  },
  { doc: 'A call of the gRPC health protocol.' },
);
export type GRPCAction = TypeOf<typeof grpcAction>;

export const sleepAction = object('io.k8s.api.core.v1.SleepAction', {
  seconds: required(integer({ doc: 'How long to sleep.', min: 0 })),
});
export type SleepAction = TypeOf<typeof sleepAction>;

const handlers = ['exec', 'grpc', 'httpGet', 'sleep', 'tcpSocket'];

export const probe = object(
  'io.k8s.api.core.v1.Probe',
  {
    exec: execAction,
    grpc: grpcAction,
    httpGet: httpGetAction,
    tcpSocket: tcpSocketAction,
    initialDelaySeconds: integer({
      doc: "Seconds after the container's start before the first probe.",
      min: 0,
    }),
    periodSeconds: integer({ doc: 'Seconds from one probe to the next.', default: 10, min: 0 }),
    timeoutSeconds: integer({ doc: 'Seconds after which a probe has failed.', default: 1, min: 0 }),
    successThreshold: integer({ doc: 'Successes in a row that end a failure.', default: 1, min: 0 }),
    failureThreshold: integer({ doc: 'Failures in a row that count as failed.', default: 3, min: 0 }),
    terminationGracePeriodSeconds: integer({
      doc: "Instead of the pod's own, after a failed probe.",
      min: 1,
    }),
  },
  { doc: 'How to find out whether a container is well.', check: exactlyOne('handler', handlers) },
);
export type Probe = TypeOf<typeof probe>;

export const lifecycleHandler = object(
  'io.k8s.api.core.v1.LifecycleHandler',
  { exec: execAction, httpGet: httpGetAction, sleep: sleepAction, tcpSocket: tcpSocketAction },
  { check: exactlyOne('handler', handlers) },
);
export type LifecycleHandler = TypeOf<typeof lifecycleHandler>;

export const lifecycle = object(
  'io.k8s.api.core.v1.Lifecycle',
  {
    postStart: lifecycleHandler,
    preStop: lifecycleHandler,
  },
  { doc: 'Actions at the start and the end of a container.' },
);
export type Lifecycle = TypeOf<typeof lifecycle>;
