import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';

/** This package's version, as package.json says it. */
export function version(): string {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')).version;
}

export function defineVersion(program: Command): void {
  program
    .command('version')
    .description('print the versions of Selvage, of the Kubernetes API it speaks, and of what runs it')
    .action(async () => {
      const { kubernetesVersion } = await import('../apiserver/version.ts');
      process.stdout.write(
        `selvage ${version()}\nKubernetes API ${kubernetesVersion}\nNode.js ${process.versions.node}\n`,
      );
    });
}
