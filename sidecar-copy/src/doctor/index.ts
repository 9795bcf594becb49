/** `trafficcopy doctor copy`: what copying needs of the host of online. */
export { type CopyEdges, copyEdges } from '../copy-edges.js';
export { type CopyQuestion, copyFindings } from './copy-findings.js';
