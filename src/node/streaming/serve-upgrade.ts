import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { isStatus, messageOf, StatusError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { nodeHttp } from '../../base/node-http.ts';
import {
  allContainersOf,
  type ContainerRecord,
  containerId,
  isAlive,
  type PodRecord,
} from '../pods/record.ts';
import type { ProcessRequest } from '../runtimes/frames.ts';
import type { Runtime } from '../runtimes/runtime.ts';
import { type Channels, channelProtocols, webSocketChannels } from './channels.ts';
import { type DialPort, forwardPorts, parsePort } from './port-forward.ts';
import { remoteCommand } from './remote-command.ts';
import { spdyChannelProtocols, spdyChannels } from './spdy-channels.ts';
import { acceptWebSocket, webSocketStream } from './websocket.ts';
import { forwardOverChannels, portsMax } from './websocket-ports.ts';

export interface StreamSources {
  pods: () => PodRecord[];
  dial: Runtime['dial'];
  /** The runtime if one is connected. */
  runtime: () => Runtime | undefined;
  log: Log;
}

interface Upgrade {
  request: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  sources: StreamSources;
}

const tunnelProtocol = 'SPDY/3.1+portforward.k8s.io';
const channelPortProtocol = 'v4.channel.k8s.io';
const spdyPortProtocol = 'portforward.k8s.io';
const isSpdy = (request: IncomingMessage) => request.headers.upgrade?.toLowerCase() === 'spdy/3.1';

/** Answers `/portForward`, `/attach` and `/exec` of the kubelet API, over WebSocket or SPDY/3.1; never rejects. */
export async function serveUpgrade(upgrade: Upgrade): Promise<void> {
  const { request, socket, sources } = upgrade;
  try {
    const url = new URL(request.url ?? '/', 'https://node');
    const [, verb, namespace, name, container] = url.pathname.split('/').map(decodeURIComponent);
    const record = sources.pods().find((each) => each.namespace === namespace && each.name === name);
    if (!record) throw new StatusError('NotFound', `pod "${name}" does not exist`);
    if (verb === 'portForward') return await portForward(upgrade, record, url.searchParams);
    if (verb === 'attach' || verb === 'exec') {
      return await serveCommand(upgrade, verb, record, container ?? '', url.searchParams);
    }
    throw new StatusError('NotFound', `there is nothing to upgrade at ${url.pathname}`);
  } catch (error) {
    if (!isStatus(error)) sources.log.warn('a stream failed', { error: messageOf(error) });
    refuse(socket, isStatus(error) ? error.code : 500, messageOf(error));
  }
}

async function portForward(upgrade: Upgrade, record: PodRecord, query: URLSearchParams): Promise<void> {
  const { ip: podIP } = record;
  if (podIP === undefined || !Object.values(record.containers).some(isAlive)) {
    throw new StatusError(
      'BadRequest',
      `pod "${record.name}" is not running, so there is no port to forward to`,
    );
  }
  const dial: DialPort = (port) => upgrade.sources.dial({ podIP, port });
  const options = { dial, pod: record.name, log: upgrade.sources.log };
  if (isSpdy(upgrade.request)) return forwardPorts(acceptSpdy(upgrade, [spdyPortProtocol]), options);
  const protocol = chosenOf(upgrade.request, [tunnelProtocol, channelPortProtocol]);
  if (protocol === tunnelProtocol) {
    const socket = await acceptWebSocket(upgrade.request, upgrade.socket, upgrade.head, protocol);
    return forwardPorts(await webSocketStream(socket), options);
  }
  const ports = query.getAll('port').flatMap((text) => text.split(',').map(parsePort));
  if (ports.length === 0 || ports.length > portsMax || ports.includes(undefined)) {
    throw new StatusError('BadRequest', `the query must name 1 to ${portsMax} ports from 1 to 65535`);
  }
  const socket = await acceptWebSocket(upgrade.request, upgrade.socket, upgrade.head, protocol);
  // Checked above: none is undefined.
  forwardOverChannels(socket, ports as number[], options);
}

async function serveCommand(
  upgrade: Upgrade,
  verb: 'attach' | 'exec',
  record: PodRecord,
  containerName: string,
  query: URLSearchParams,
): Promise<void> {
  const container = runningContainer(record, containerName);
  const wants = (name: string) => ['1', 'true'].includes(query.get(name) ?? '');
  const tty = wants('tty');
  const wanted = { stdin: wants('input'), stdout: wants('output'), stderr: wants('error') && !tty, tty };
  const { sources } = upgrade;
  const runtime = sources.runtime();
  if (!runtime) throw new StatusError('ServiceUnavailable', "the node's runtime is not connected");
  const { stdin, stdout, stderr } = wanted;
  const channels = await openChannels(upgrade, { stdin, stdout, stderr, resize: tty });
  const id = containerId(record.uid, containerName, container.restartCount);
  const request: ProcessRequest =
    verb === 'exec'
      ? { kind: 'exec', id, command: query.getAll('command'), stdin, tty }
      : { kind: 'attach', id, stdin };
  const work = () => remoteCommand(channels, runtime, { request, wanted });
  await work().catch((error: unknown) => {
    if (channels.signal.aborted) return;
    const message = messageOf(error);
    const reason = 'InternalError';
    return channels.finish({ metadata: {}, status: 'Failure', reason, message, code: 500 });
  });
}

function runningContainer(record: PodRecord, name: string): ContainerRecord {
  const isKnown = allContainersOf(record).some((each) => each.name === name);
  const container = isKnown ? record.containers[name] : undefined;
  if (!container) {
    throw new StatusError('BadRequest', `container ${name} is not valid for pod ${record.name}`);
  }
  if (container.phase.kind !== 'running' && container.phase.kind !== 'stopping') {
    throw new StatusError('BadRequest', `container "${name}" of pod "${record.name}" is not running`);
  }
  return container;
}

async function openChannels(upgrade: Upgrade, wanted: Record<string, boolean>): Promise<Channels> {
  if (isSpdy(upgrade.request)) {
    const names = Object.keys(wanted).filter((name) => wanted[name]);
    return spdyChannels(acceptSpdy(upgrade, spdyChannelProtocols), ['error', ...names]);
  }
  const protocol = chosenOf(upgrade.request, channelProtocols);
  return webSocketChannels(await acceptWebSocket(upgrade.request, upgrade.socket, upgrade.head, protocol));
}

/** Answers 101 and hands the connection over. */
function acceptSpdy({ request, socket, head }: Upgrade, spoken: readonly string[]): Duplex {
  const offered = listed(request.headers['x-stream-protocol-version']);
  const protocol = spoken.find((each) => offered.includes(each));
  if (protocol === undefined) {
    throw new StatusError(
      'Forbidden',
      `unable to upgrade: none of the protocols "${offered.join(', ')}" is spoken here, but ${spoken.join(', ')}`,
    );
  }
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
  return socket;
}

/** The first of the subprotocols spoken here that the client offers. */
function chosenOf(request: IncomingMessage, spoken: readonly string[]): string {
  const offered = listed(request.headers['sec-websocket-protocol']);
  const protocol = spoken.find((each) => offered.includes(each));
  if (protocol !== undefined) return protocol;
  throw new StatusError(
    'BadRequest',
    `unable to upgrade: none of the WebSocket subprotocols "${offered.join(', ')}" is spoken here, but ${spoken.join(', ')}`,
  );
}

function listed(header: string | string[] | undefined): string[] {
  return [header ?? []].flat().flatMap((text) => text.split(',').map((each) => each.trim()));
}

function refuse(socket: Duplex, code: number, text: string): void {
  if (socket.destroyed) return;
  const body = Buffer.from(text);
  const head = `HTTP/1.1 ${code} ${nodeHttp.STATUS_CODES[code] ?? ''}\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
  socket.end(Buffer.concat([Buffer.from(head), body]));
}
