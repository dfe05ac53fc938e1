import { once } from 'node:events';
import { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { Store } from '../../store/store.ts';
import type { PodDial } from '../service-dial.ts';
import { type KubeletDial, kubeletRequest } from '../verbs/log.ts';

const protocol = 'v4.channel.k8s.io';
/** The node sends what it reads from the pod, so no message is longer than its buffer. */
const messageBytesMax = 1024 * 1024;
const [dataChannel, errorChannel] = [0, 1];
/** Each channel begins with its port. */
const headBytes = 2;

/** Reaches pods through the kubelet API of their nodes, as port-forwarding does. */
export function podDial(store: Store, kubelet: KubeletDial | undefined): PodDial {
  return async ({ namespace, name, port, nodeName }, signal) => {
    if (nodeName === undefined) throw new Error(`pod ${namespace}/${name} is on no node`);
    const path = `/portForward/${[namespace, name].map(encodeURIComponent).join('/')}?port=${port}`;
    const { url, ca, cert, key } = await kubeletRequest({ store }, kubelet, nodeName, path);
    const { WebSocket: Client } = await import('ws');
    signal.throwIfAborted();
    const socket = new Client(url.replace(/^https/, 'wss'), protocol, {
      ca,
      cert,
      key,
      perMessageDeflate: false,
      maxPayload: messageBytesMax,
    });
    const abort = () => socket.terminate();
    signal.addEventListener('abort', abort, { once: true });
    try {
      await once(socket, 'open', { signal });
    } catch (error) {
      socket.on('error', () => {});
      socket.terminate();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
    return streamOf(socket);
  };
}

/** The connection to the pod; what the node has to say of it ends it as an error. */
function streamOf(socket: WebSocket): Duplex {
  const heads = new Set<number>();
  const stream = new Duplex({
    read: () => socket.resume(),
    write: (bytes: Buffer, _encoding, done) =>
      socket.send(Buffer.concat([Buffer.of(dataChannel), bytes]), done),
    final(done) {
      socket.close();
      done();
    },
    destroy(error, done) {
      socket.terminate();
      done(error);
    },
  });
  socket.on('message', (message: RawData) => {
    // A Buffer, since nothing else was asked for.
    const bytes = message as Buffer;
    const channel = bytes[0]!;
    const isHead = !heads.has(channel);
    heads.add(channel);
    const data = bytes.subarray(isHead ? 1 + headBytes : 1);
    if (data.length === 0) return;
    if (channel === errorChannel) stream.destroy(new Error(data.toString()));
    else if (!stream.push(data)) socket.pause();
  });
  socket.on('error', (error) => stream.destroy(error));
  socket.on('close', () => {
    if (!stream.destroyed) stream.push(null);
  });
  return stream;
}
