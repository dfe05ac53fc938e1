import type { AdmissionPlugin } from './chain.ts';

/** The plugins that Kubernetes 1.32 switches on by default, in kube-apiserver's order. */
export function createAdmissionPlugins(): AdmissionPlugin[] {
  return [];
}
