import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { messageOf } from '../../base/errors.ts';
import { nodeHttp } from '../../base/node-http.ts';
import type { Runtime } from '../runtimes/runtime.ts';
import type { Container } from './record.ts';
import type { CommandResult } from './run-in-container.ts';

export type ProbeResult = { isSuccess: true } | { isSuccess: false; message: string };
export type ProbeSpec = NonNullable<Container['readinessProbe']>;

/** How much of an answer is read; the rest doesn't matter to a probe (kubelet's bound). */
const answerBytesMax = 10 * 1024;

export interface ProbeTarget {
  podIP: string;
  container: Container;
  dial: Runtime['dial'];
  /** Runs a command in the container. */
  run: (command: string[], timeoutMs: number) => Promise<CommandResult>;
  timeoutMs: number;
}

type Handler = Pick<ProbeSpec, 'httpGet' | 'tcpSocket' | 'exec' | 'grpc'>;

/** Sends one probe to a pod. Never throws: whatever goes wrong is a failed probe. */
export async function sendProbe(probe: Handler, target: ProbeTarget): Promise<ProbeResult> {
  if (probe.exec) return runProbe(probe.exec.command ?? [], target);
  const signal = AbortSignal.timeout(target.timeoutMs);
  const { podIP: host } = target;
  let socket: Socket | undefined;
  let what = '';
  try {
    const port = portOf(probe.httpGet?.port ?? probe.tcpSocket?.port ?? probe.grpc?.port, target.container);
    const { httpGet: get } = probe;
    if (get)
      what = `Get "${get.scheme === 'HTTPS' ? 'https' : 'http'}://${host}:${port}${get.path || '/'}": `;
    socket = await target.dial({ podIP: host, port, signal }).catch((error: NodeJS.ErrnoException) => {
      const isRefused = error.code === 'ECONNREFUSED' && !signal.aborted;
      throw isRefused ? new Error(`dial tcp ${host}:${port}: connect: connection refused`) : error;
    });
    socket.on('error', () => {});
    if (get) return await httpGet(get, { socket, port, signal, host });
    if (probe.grpc) {
      const { grpcCheck } = await import('./probe-grpc.ts');
      return await grpcCheck(probe.grpc.service ?? '', { socket, port, signal, host });
    }
    if (probe.tcpSocket) return { isSuccess: true };
    return { isSuccess: false, message: 'missing probe handler' };
  } catch (error) {
    const message = signal.aborted ? 'context deadline exceeded' : messageOf(error);
    return { isSuccess: false, message: what + message };
  } finally {
    socket?.destroy();
  }
}

async function runProbe(command: string[], { run, timeoutMs }: ProbeTarget): Promise<ProbeResult> {
  const { exitCode, output, isLate } = await run(command, timeoutMs);
  if (exitCode === 0) return { isSuccess: true };
  const late = `command timed out: ${JSON.stringify(command.join(' '))} timed out after ${timeoutMs / 1000}s`;
  return { isSuccess: false, message: isLate ? late : output.trim() || `exit code ${exitCode}` };
}

type HttpGet = NonNullable<ProbeSpec['httpGet']>;

async function httpGet(
  get: HttpGet,
  at: { socket: Socket; port: number; host: string; signal: AbortSignal },
): Promise<ProbeResult> {
  const headers = Object.fromEntries((get.httpHeaders ?? []).map(({ name, value }) => [name, value ?? '']));
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = nodeHttp.request({
      host: get.host || at.host,
      port: at.port,
      path: get.path || '/',
      method: 'GET',
      headers: { 'user-agent': 'kube-probe/1.32', accept: '*/*', connection: 'close', ...headers },
      // Kubernetes' probes don't verify certificates either: they ask whether the program answers.
      createConnection: () =>
        get.scheme === 'HTTPS' ? connectTls({ socket: at.socket, rejectUnauthorized: false }) : at.socket,
      signal: at.signal,
    });
    sent.on('response', resolve);
    sent.on('error', reject);
    sent.end();
  });
  let bytes = 0;
  for await (const chunk of answer) {
    bytes += (chunk as Buffer).length;
    if (bytes > answerBytesMax) break;
  }
  const code = answer.statusCode ?? 0;
  if (code >= 200 && code < 400) return { isSuccess: true };
  return { isSuccess: false, message: `HTTP probe failed with statuscode: ${code}` };
}

/** A probe's port: a number, or the name of one of the container's ports. */
export function portOf(port: number | string | undefined, container: Container): number {
  const number = Number(port);
  if (Number.isInteger(number) && number > 0) return number;
  const named = container.ports?.find(({ name }) => name === port);
  if (named) return named.containerPort;
  throw new Error(`couldn't find port: ${port}`);
}
