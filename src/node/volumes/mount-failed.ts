/** How the message of a volume that could not be made begins, as the kubelet has it. */
export const mountFailed = 'MountVolume.SetUp failed for volume';
