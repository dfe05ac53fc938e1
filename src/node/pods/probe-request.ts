import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { messageOf } from '../../base/errors.ts';
import { nodeHttp } from '../../base/node-http.ts';
import type { Runtime } from '../runtimes/runtime.ts';
import type { Container } from './record.ts';

export type ProbeResult = { isSuccess: true } | { isSuccess: false; message: string };
export type ProbeSpec = NonNullable<Container['readinessProbe']>;

/** How much of an answer is read; the rest doesn't matter to a probe (kubelet's bound). */
const answerBytesMax = 10 * 1024;

/** Sends one probe to a pod. Never throws: whatever goes wrong is a failed probe. */
export async function sendProbe(
  probe: Pick<ProbeSpec, 'httpGet' | 'tcpSocket'> & object,
  target: { podIP: string; container: Container; dial: Runtime['dial']; timeoutMs: number },
): Promise<ProbeResult> {
  const signal = AbortSignal.timeout(target.timeoutMs);
  let socket: Socket | undefined;
  try {
    const port = portOf(probe.httpGet?.port ?? probe.tcpSocket?.port, target.container);
    const dialed = await target.dial({ podIP: target.podIP, port, signal });
    socket = dialed;
    dialed.on('error', () => {});
    if (!probe.httpGet) {
      if (probe.tcpSocket) return { isSuccess: true };
      return { isSuccess: false, message: 'this node probes by httpGet and tcpSocket only' };
    }
    return await httpGet(probe.httpGet, { socket: dialed, port, signal, host: target.podIP });
  } catch (error) {
    const message = signal.aborted ? 'context deadline exceeded' : messageOf(error);
    return { isSuccess: false, message };
  } finally {
    socket?.destroy();
  }
}

type HttpGet = NonNullable<ProbeSpec['httpGet']>;

async function httpGet(
  get: HttpGet,
  at: { socket: Socket; port: number; host: string; signal: AbortSignal },
): Promise<ProbeResult> {
  const headers = Object.fromEntries((get.httpHeaders ?? []).map(({ name, value }) => [name, value ?? '']));
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = nodeHttp.request({
      host: at.host,
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
