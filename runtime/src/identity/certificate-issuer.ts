/**
 * The only importer of the X.509 library (docs/adr/0003): certificates and certificate requests. Loading it takes a
 * fifth of a second, so it is loaded when a certificate is made, not when the program starts.
 */
import { createPrivateKey, createPublicKey, webcrypto } from 'node:crypto';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

/** ECDSA on P-256 with SHA-256 everywhere: small, fast, and known to every TLS 1.3 (RFC 8446 9.1). */
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** Octets of a serial number: RFC 5280 4.1.2.2 allows 20; random, so never used twice. */
const SERIAL_BYTES = 16;

x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);

/** Which side of TLS the holder may be. */
export type CertificateUsage = 'server' | 'client';

export interface CertificateSpecification {
  /** The subject's common name: for people only. */
  readonly commonName: string;
  /** The only subject alternative names: the identity of a member, or the host names of a web server, which is no member. */
  readonly names: { readonly uri: string } | { readonly hosts: readonly string[] };
  readonly usages: readonly CertificateUsage[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** An authority's key and its certificate, PEM. */
export interface IssuerCredentials {
  readonly key: string;
  readonly certificate: string;
}

/** A new self-signed authority. */
export async function createIssuer(
  commonName: string,
  notBeforeMs: number,
  notAfterMs: number,
): Promise<IssuerCredentials> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [commonName] }],
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    keys: keys as never,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey as never),
    ],
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return {
    key: key.export({ type: 'pkcs8', format: 'pem' }) as string,
    certificate: `${certificate.toString('pem')}\n`,
  };
}

/** A certificate for the public key (SubjectPublicKeyInfo, DER), PEM. */
export async function issueCertificate(
  issuer: IssuerCredentials,
  publicKey: Uint8Array,
  specification: CertificateSpecification,
): Promise<string> {
  const authority = new x509.X509Certificate(issuer.certificate);
  const signingKey = await importPrivateKey(issuer.key);
  const subjectKey = await webcrypto.subtle.importKey('spki', publicKey, ALGORITHM, true, ['verify']);
  const authorityKey = await authority.publicKey.export();
  const usages = specification.usages.map((usage) => EXTENDED_USAGE[usage]);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [specification.commonName] }],
    issuer: authority.subjectName,
    notBefore: new Date(specification.notBeforeMs),
    notAfter: new Date(specification.notAfterMs),
    signingKey: signingKey as never,
    signingAlgorithm: ALGORITHM,
    publicKey: subjectKey as never,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(usages),
      new x509.SubjectAlternativeNameExtension(alternativeNames(specification.names)),
      await x509.SubjectKeyIdentifierExtension.create(subjectKey as never),
      await x509.AuthorityKeyIdentifierExtension.create(authorityKey),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

const EXTENDED_USAGE = { server: x509.ExtendedKeyUsage.serverAuth, client: x509.ExtendedKeyUsage.clientAuth } as const;

function alternativeNames(names: CertificateSpecification['names']): x509.JsonGeneralName[] {
  if ('uri' in names) return [{ type: 'url', value: names.uri }];
  return names.hosts.map((host) => ({ type: 'dns', value: host }));
}

/** A request for a certificate of this key (PKCS #8 PEM), PEM. It names nothing: the authority decides on the name. */
export async function createCertificateRequest(key: string): Promise<string> {
  const privateKey = await importPrivateKey(key);
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const publicKey = await webcrypto.subtle.importKey('spki', spki, ALGORITHM, true, ['verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: ['trafficcopy'] }],
    keys: { privateKey, publicKey } as never,
    signingAlgorithm: ALGORITHM,
  });
  return `${request.toString('pem')}\n`;
}

/**
 * The public key (SubjectPublicKeyInfo, DER) of a request that is signed by it; undefined when it is not, when it is no P-256 key, or when it
 * cannot be read. Whatever else the request asks for is not looked at.
 */
export async function readCertificateRequest(pem: string): Promise<Uint8Array | undefined> {
  try {
    const request = new x509.Pkcs10CertificateRequest(pem);
    const spki = new Uint8Array(request.publicKey.rawData);
    const details = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).asymmetricKeyDetails;
    if (details?.namedCurve !== 'prime256v1') return undefined;
    return (await request.verify()) ? spki : undefined;
  } catch {
    return undefined;
  }
}

async function importPrivateKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
  return await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
}

function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(SERIAL_BYTES));
  // Positive and not 0: the top bit is clear, the next is set.
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}
