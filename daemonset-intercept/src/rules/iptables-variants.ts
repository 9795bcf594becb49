import { Iptables, type IptablesKind } from './iptables.js';
import type { NamespaceAccess } from './namespace-access.js';
import { RulesError } from './rules-error.js';

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

/** Those of the kind that was asked for. @throws RulesError when there is none. */
export async function wantedVariants(
  access: NamespaceAccess,
  iptables: 'auto' | IptablesKind,
  hasIpv6: boolean,
): Promise<IptablesVariant[]> {
  const all = await iptablesVariants(access, hasIpv6);
  const wanted = iptables === 'auto' ? all : all.filter(({ kind }) => kind === iptables);
  if (wanted.length > 0) return wanted;
  const what = iptables === 'auto' ? 'iptables' : `iptables of the kind ${iptables}`;
  throw new RulesError(
    'ERR_RULES_UNSUPPORTED',
    `${what} is not installed here: the rules that keep responses from clients need it (package iptables)`,
  );
}

export function familiesOf(variant: IptablesVariant): Iptables[] {
  return variant.ipv6 === undefined ? [variant.ipv4] : [variant.ipv4, variant.ipv6];
}
