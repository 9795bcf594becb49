/**
 * Does in a network namespace of its own all that intercept does to one: `unshare --net node scratch-namespace.js DIRECTORY`. The
 * namespace ends with the process; what it writes goes to the directory. Prints findings as JSON.
 */
import { type Finding, fail, pass, skip, warn } from '@trafficcopy/runtime';
import { RawPacketSender } from '../injector/raw-packet-sender.js';
import { responseSourceOpener } from '../responses/open-response-source.js';
import { iptablesVariants } from '../rules/iptables-variants.js';
import { namespaceHasIpv6 } from '../rules/mark-sysctls.js';
import { KernelNamespace } from '../rules/namespace-access.js';
import { RulesInstallation } from '../rules/rules-installation.js';

const MODULES =
  'load the module (modprobe -a xt_NFQUEUE nfnetlink_queue xt_mark xt_comment xt_CT), or use a kernel that has it';
const QUEUE_LENGTH = 1024;

async function tryKind(
  access: KernelNamespace,
  kind: 'nft' | 'legacy',
  directory: string,
  hasIpv6: boolean,
): Promise<Finding> {
  const opened: { close(): void }[] = [];
  const open = await responseSourceOpener('native');
  try {
    const rules = await RulesInstallation.install({
      access,
      stateDirectory: directory,
      instance: 'doctor',
      queueNumber: undefined,
      iptables: kind,
      openSockets: (slot) => {
        const queue = open({ queueNumber: slot.queueNumber, queueLengthMax: QUEUE_LENGTH, netnsPath: undefined });
        if (queue === undefined) return false;
        opened.push(queue, new RawPacketSender({ mark: slot.injectionMark, hasIpv6, netnsPath: undefined }));
        return true;
      },
    });
    await rules.restore();
    return pass(
      `iptables (${kind}): rules, NFQUEUE, raw sockets and settings work (tried in a network namespace of its own)`,
    );
  } catch (error) {
    const reason = (error as Error).message;
    return fail(`iptables (${kind}): ${reason}`, MODULES);
  } finally {
    for (const one of opened) one.close();
  }
}

async function findings(directory: string): Promise<Finding[]> {
  const access = new KernelNamespace(undefined);
  await access.run('ip', ['link', 'set', 'lo', 'up']);
  const hasIpv6 = await namespaceHasIpv6(access);
  const variants = await iptablesVariants(access, hasIpv6);
  if (variants.length === 0)
    return [fail('iptables is not installed', 'apt-get install iptables, or what your system calls it')];
  const tried: Finding[] = [];
  for (const { kind } of variants) tried.push(await tryKind(access, kind, directory, hasIpv6));
  const works = tried.some(({ verdict }) => verdict === 'pass');
  // One kind is enough.
  const told = works
    ? tried.map((one) => (one.verdict === 'fail' ? warn(one.text, 'the other kind works; --iptables names it') : one))
    : tried;
  if (!hasIpv6)
    told.push(skip('IPv6 was not tried: this kernel has none', 'nothing to do, unless clients or target use it'));
  return told;
}

process.stdout.write(JSON.stringify(await findings(process.argv[2]!)));
