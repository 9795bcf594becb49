import type { ConfigNode, ConfigStructure, ConfigText } from '@trafficcopy/runtime';

/**
 * `targets` of a configuration file, as TrafficCopy.spec writes targets outside the cluster: what `-x` and `-s` say on a command line.
 * What is in it is checked where those are.
 */
export const targetStructure: ConfigStructure = {
  key: 'targets',
  help: 'Targets as TrafficCopy.spec writes them, a list of address, ports (a list of source and target) and intercept; in place of map and intercept',
  read(node: ConfigNode): Readonly<Record<string, readonly ConfigText[]>> {
    const map: ConfigText[] = [];
    const intercept: ConfigText[] = [];
    for (const item of node.items()) {
      const fields = item.fields(['address', 'ports', 'intercept']);
      const target = (fields.address ?? item).text('the IP address of the target: address');
      if (fields.ports === undefined) throw item.problem('ports is missing: expected a list of source and target');
      for (const port of fields.ports.items()) map.push(mapping(target, port));
      if (fields.intercept === undefined) continue;
      const text = fields.intercept.text('HOST[:PORT] of its intercept');
      intercept.push({ text: `${target}=${text}`, place: fields.intercept.place });
    }
    return intercept.length === 0 ? { map } : { map, intercept };
  },
};

function mapping(target: string, port: ConfigNode): ConfigText {
  const { source, target: targetPort } = port.fields(['source', 'target']);
  const from = (source ?? port).text('the port of the online server: source');
  const to = targetPort?.text('the port of the target') ?? from.replace(/^.*:/, '');
  const host = target.includes(':') && !target.startsWith('[') ? `[${target}]` : target;
  return { text: `${from}-${host}:${to}`, place: port.place };
}
