import type { Command } from 'commander';
import { dataDir, dataDirHelp } from './data-dir.ts';
import { formatBytes } from './terminal/units.ts';

interface PushFlags {
  to?: string;
  username?: string;
  passwordStdin?: true;
  plainHttp?: true;
  kubeconfig?: string;
  dataDir?: string;
}

export function definePush(program: Command): void {
  program
    .command('push')
    .description('send an image or a model from the data folder to a registry; only what it lacks travels')
    .argument('<name:tag>', 'what to send, as `selvage build` or `selvage train` named it')
    .option(
      '--to <name:tag>',
      'name there, with its registry (registry.example/team/app:1.0); default: the same name, in the cluster of the kubeconfig',
    )
    .option('--username <name>', 'user at that registry')
    .option('--password-stdin', "read that user's password from standard input")
    .option('--plain-http', 'speak HTTP instead of HTTPS')
    .option('--kubeconfig <file>', 'of the cluster to send to (default: $KUBECONFIG, else ~/.kube/config)')
    .option('--data-dir <folder>', dataDirHelp)
    .action(async (name: string, flags: PushFlags) => {
      const { pushFromDataDir } = await import('./run-push.ts');
      await pushFromDataDir(name, { ...flags, dataDir: dataDir(flags.dataDir), report });
    });
}

function report(name: string, digest: string, bytesSent: number): void {
  process.stdout.write(`${name} ${digest}, ${formatBytes(bytesSent)} sent\n`);
}
