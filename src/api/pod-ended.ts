/** Whether none of a pod's containers will run again. */
export function hasPodEnded({ status }: { status?: { phase?: string | undefined } | undefined }): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}
