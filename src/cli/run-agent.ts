import { readFile } from 'node:fs/promises';
import { flushCompileCache } from 'node:module';
import { systemClock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { releaseMemoryWhenIdle } from '../base/idle-memory.ts';
import { Lifecycle } from '../base/lifecycle.ts';
import { createLog } from '../base/log.ts';
import { startAgent } from '../node/agent.ts';
import { registryFetch } from '../node/images/registry-fetch.ts';
import { joinCluster } from '../node/join.ts';
import { periodsOf, type ShutdownGracePeriod } from '../node/shutdown.ts';
import type { AgentFlags } from './agent.ts';
import type { DataDir } from './data-dir.ts';
import { grantsAllowed } from './grants-allowed.ts';
import { tellParent, untilToldToStop } from './parent.ts';
import { version } from './version.ts';
import { watchFolder } from './watch-folder.ts';

const podGraceSeconds = 10;

/** `selvage agent`: joins, then runs until it is told to stop. */
export async function runAgent(flags: AgentFlags, dataDir: DataDir): Promise<void> {
  const periods = shutdownPeriods(flags);
  const stopping = new AbortController();
  const told = untilToldToStop().then(() => stopping.abort());
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const log = createLog({ level: flags.logLevel, write: (line) => process.stderr.write(line) });
  const life = new Lifecycle();
  try {
    const joined = await joinCluster({
      server: flags.server,
      token: await tokenOf(flags),
      nodeName: flags.name,
      dataDir: dataDir.node,
      clock: systemClock,
      log,
      signal: stopping.signal,
    });
    life.add(joined);
    const credentials = () => {
      const { certificatePem, privateKeyPem } = joined.certificate();
      return { clientCertificatePem: certificatePem, clientKeyPem: privateKeyPem };
    };
    const registry = registryFetch({ caPem: joined.caPem, credentials });
    life.defer(() => registry.close());
    const agent = await startAgent({
      name: flags.name,
      client: joined.client,
      dataDir: dataDir.node,
      registry: { url: flags.server, fetch: registry },
      caPem: joined.caPem,
      clock: systemClock,
      log,
      advertiseAddress: flags.address,
      kubelet: { host: flags.address, port: flags.kubeletPort },
      mesh: { host: flags.address, port: flags.meshPort },
      meshAdvertise: flags.meshAdvertise,
      labels: flags.label,
      ...(flags.zone && { zone: flags.zone }),
      version: version(),
      nodeCertificate: joined,
      grantsAllowed: grantsAllowed(flags),
      hostPathsAllowed: flags.allowHostPath,
    });
    const endsPods = flags.stopPods === true || periods.length > 0;
    life.defer(() => (endsPods ? agent.shutdown({ graceSeconds: podGraceSeconds, periods }) : agent.stop()));
    say(`node "${flags.name}" is up, of the cluster at ${flags.server}`);
    // Now and not at the end, which this would hold up: others that start find compiled what we had to compile.
    flushCompileCache();
    life.add(releaseMemoryWhenIdle({ clock: systemClock }));
    life.add(watchFolder(dataDir.node, { clock: systemClock, log }));
    tellParent({ kind: 'ready' });
    await told;
    say(endsPods ? 'stopping the pods …' : 'stopping; the pods go on');
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
  } finally {
    await life.stop();
  }
}

function shutdownPeriods(flags: AgentFlags): ShutdownGracePeriod[] {
  const { shutdownGracePeriod: seconds, shutdownGracePeriodCriticalPods: criticalSeconds } = flags;
  if (criticalSeconds > seconds) {
    throw new Error(
      `--shutdown-grace-period-critical-pods (${criticalSeconds}) is a part of --shutdown-grace-period (${seconds}) and cannot be longer`,
    );
  }
  return flags.shutdownGracePeriodByPodPriority ?? periodsOf(seconds, criticalSeconds);
}

async function tokenOf(flags: AgentFlags): Promise<string | undefined> {
  if (!flags.tokenFile) return flags.token ?? process.env.SELVAGE_TOKEN;
  try {
    return (await readFile(flags.tokenFile, 'utf8')).trim();
  } catch (error) {
    const where = "copy server/join-token from the server's data folder";
    throw new Error(`cannot read the join token: ${messageOf(error)}; ${where}`);
  }
}
