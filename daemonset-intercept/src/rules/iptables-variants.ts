import { Iptables, type IptablesKind } from './iptables.js';
import type { NamespaceAccess } from './namespace-access.js';

/** One kind of iptables that is installed, for IPv4 and IPv6. */
export interface IptablesVariant {
  readonly kind: IptablesKind;
  readonly ipv4: Iptables;
  /** Undefined where the kernel has no IPv6. */
  readonly ipv6: Iptables | undefined;
}

/** Finds the kinds that are installed, the system's default first. */
export async function iptablesVariants(access: NamespaceAccess, hasIpv6: boolean): Promise<IptablesVariant[]> {
  const variants: IptablesVariant[] = [];
  for (const suffix of ['', '-nft', '-legacy']) {
    const outcome = await access.run(`iptables${suffix}`, ['--version']);
    if (outcome === undefined || outcome.status !== 0) continue;
    // Before 1.8 there was one kind, which said nothing about itself.
    const kind: IptablesKind = outcome.stdout.includes('nf_tables') ? 'nft' : 'legacy';
    if (variants.some((variant) => variant.kind === kind)) continue;
    variants.push({
      kind,
      ipv4: new Iptables(access, kind, 4, suffix),
      ipv6: hasIpv6 ? new Iptables(access, kind, 6, suffix) : undefined,
    });
  }
  return variants;
}

export function familiesOf(variant: IptablesVariant): Iptables[] {
  return variant.ipv6 === undefined ? [variant.ipv4] : [variant.ipv4, variant.ipv6];
}
