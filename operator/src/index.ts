/**
 * The operator: turns TrafficCopy resources into running copies.
 *
 * kube/ is the API server, api/ the resource, traffic-copy/ decides and carries out, injection/ is what copies look like in pods, identity/ who is let in, and hub/ the
 * channels to copies and intercepts. operator.ts puts them together.
 */
export { runOperator } from './main.js';
