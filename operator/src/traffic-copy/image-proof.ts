import { copyContainerGeneration } from '../api/index.js';
import type { Observation } from './observation.js';

/**
 * Whether a copy of this TrafficCopy has run from the image that new copies get: so it is known that it can be had, and cannot keep a pod of production from starting. An
 * upgrade of the operator can bring another image than the one that copies run from. A new leader believes a container that runs when a copy was at work before.
 */
export function isImageProven({ trafficCopy, pods, copies, copyImage, memory }: Observation): boolean {
  const hasStarted = trafficCopy.status.startTime !== undefined;
  return (
    memory.isImageProven ||
    pods.some(({ pod }) => {
      const runs = pod.copies.some(({ name, image, state }) => {
        const isOwn = copyContainerGeneration(name, trafficCopy.uid) !== undefined;
        return isOwn && image === copyImage && state === 'running';
      });
      return runs && (hasStarted || copies.get(pod.uid)?.report !== undefined);
    })
  );
}
