import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { requestConnect } from './connect-stream.ts';

/** `CONNECT podIP:port` over the shim's private socket; for the node's own pods. */
export async function dialPod(
  dialPath: string,
  { podIP, port, signal }: { podIP: string; port: number; signal?: AbortSignal },
): Promise<Socket> {
  signal?.throwIfAborted();
  const socket = net.connect({ path: dialPath });
  const abort = () => socket.destroy(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
  signal?.addEventListener('abort', abort, { once: true });
  try {
    await once(socket, 'connect');
    await requestConnect(socket, podIP, port, { staysHere: true });
    forgetPause(socket);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** Puts a paused stream back into its first state, in which it flows once somebody listens. */
function forgetPause(socket: Socket): void {
  const listener = () => {};
  socket.on('readable', listener).off('readable', listener);
}
