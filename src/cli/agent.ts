import type { Command } from 'commander';
import type { ShutdownGracePeriod } from '../node/shutdown.ts';
import { dataDir, dataDirHelp } from './data-dir.ts';
import { allowAddonsOption, allowHostPathOption, allowLocalEgressOption } from './grants-allowed.ts';
import { nodeLabel, nodeName, periodsByPriority, serverUrl, zoneName } from './node-options.ts';
import { portNumber, wholeNumber } from './option-numbers.ts';

export interface AgentFlags {
  server: string;
  token?: string;
  tokenFile?: string;
  name: string;
  zone?: string;
  label: Record<string, string>;
  address: string;
  kubeletPort: number;
  meshPort: number;
  meshAdvertise?: string;
  stopPods?: true;
  shutdownGracePeriod: number;
  shutdownGracePeriodCriticalPods: number;
  shutdownGracePeriodByPodPriority?: ShutdownGracePeriod[];
  allowAddons?: true;
  allowLocalEgress?: true;
  allowHostPath: string[];
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  dataDir?: string;
}

export function defineAgent(program: Command): void {
  program
    .command('agent')
    .description('make this machine a node of a cluster that runs elsewhere')
    .requiredOption('--server <url>', 'API server, https://host:port', serverUrl)
    .option('--token <token>', 'join token ($SELVAGE_TOKEN); needed the first time only')
    .option('--token-file <file>', 'file with the join token')
    .requiredOption('--name <name>', "the node's name", nodeName)
    .option('--zone <zone>', 'the site it stands at (topology.kubernetes.io/zone)', zoneName)
    .option('--label <name=value>', 'a label of the node; may be given several times', nodeLabel, {})
    .option('--address <address>', 'address that other machines reach this one by', '127.0.0.1')
    .option('--kubelet-port <port>', 'of the kubelet API; 0 picks a free one', portNumber, 0)
    .option('--mesh-port <port>', 'on which other nodes reach pods here; 0 picks a free one', portNumber, 0)
    .option(
      '--mesh-advertise <host:port>',
      'where other nodes dial the mesh port, if not there (a relay, a NAT)',
    )
    .option(
      '--stop-pods',
      'end the pods when the agent ends; by default they go on and the next agent takes them over',
    )
    .option(
      '--shutdown-grace-period <seconds>',
      'when the agent ends the node shuts down: pods end for good, within so long; 0 for no such end',
      wholeNumber,
      0,
    )
    .option(
      '--shutdown-grace-period-critical-pods <seconds>',
      'how much of that is for critical pods, which end last',
      wholeNumber,
      0,
    )
    .option(
      '--shutdown-grace-period-by-pod-priority <priority=seconds,...>',
      'instead of both: how long pods from each priority on have',
      periodsByPriority,
    )
    .option(...allowAddonsOption)
    .option(...allowLocalEgressOption)
    .option(...allowHostPathOption)
    .option('--log-level <level>', 'debug, info, warn or error', 'warn')
    .option('--data-dir <folder>', dataDirHelp)
    .action(async (flags: AgentFlags) => {
      const { runAgent } = await import('./run-agent.ts');
      await runAgent(flags, dataDir(flags.dataDir));
    });
}
