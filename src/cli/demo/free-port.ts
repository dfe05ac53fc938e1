import { randomInt } from 'node:crypto';
import net from 'node:net';

/** Below what systems hand out for outgoing connections, any of which could take the port before its server does. */
const lowest = 20_000;
const highest = 32_000;
const attemptsMax = 100;

/** A port of 127.0.0.1 that nobody listened on a moment ago, and that no outgoing connection will be given. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const port = randomInt(lowest, highest);
    if (await isFree(port)) return port;
  }
  throw new Error(
    `no free port of 127.0.0.1 found from ${lowest} to ${highest} in ${attemptsMax} tries; see: ss -ltn`,
  );
}

function isFree(port: number): Promise<boolean> {
  const probe = net.createServer();
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
