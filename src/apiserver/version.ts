/** The Kubernetes release whose API this server speaks. */
export const kubernetesVersion = 'v1.32.0';

/** `version.Info`, the answer of `/version`. */
export function versionInfo(selvageVersion: string): object {
  return {
    major: '1',
    minor: '32',
    gitVersion: `${kubernetesVersion}+selvage-${selvageVersion}`,
    gitCommit: '',
    gitTreeState: '',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: `node ${process.versions.node}`,
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  };
}
