import type { Command } from 'commander';
import { dataDir, dataDirHelp } from './data-dir.ts';
import { formatBytes } from './terminal/units.ts';

interface BuildFlags {
  tag: string[];
  buildArg: string[];
  dataDir?: string;
}

export function defineBuild(program: Command): void {
  const collect = (value: string, all: string[]) => [...all, value];
  program
    .command('build')
    .description(
      'build an OCI image from a folder, without Docker and without root; the same input gives the same digest',
    )
    .argument(
      '<folder>',
      'a folder with a Dockerfile, or with a module to run as an isolate (package.json, server.ts, …)',
    )
    .requiredOption('-t, --tag <name:tag>', 'name of the image; may be given several times', collect, [])
    .option('--build-arg <name=value>', "value for a Dockerfile's ARG", collect, [])
    .option('--data-dir <folder>', dataDirHelp)
    .addHelpText(
      'after',
      '\nThe image goes into the data folder, from which a running `selvage up` serves it to its nodes at once.\nFor a registry elsewhere, follow with `selvage push`.',
    )
    .action(build);
}

async function build(folder: string, flags: BuildFlags): Promise<void> {
  const { buildImage } = await import('../oci/build.ts');
  const { ContentStore } = await import('../oci/content-store.ts');
  const store = await ContentStore.open(dataDir(flags.dataDir).registry);
  const built = await buildImage({
    contextDir: folder,
    tag: flags.tag,
    store,
    buildArgs: Object.fromEntries(flags.buildArg.map(splitArgument)),
    onProgress: (message) => process.stderr.write(`${message}\n`),
  });
  process.stdout.write(`${built.reference} ${built.digest} ${formatBytes(built.size)}\n`);
}

function splitArgument(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new Error(`--build-arg must be NAME=VALUE, got "${text}"`);
  return [text.slice(0, at), text.slice(at + 1)];
}
