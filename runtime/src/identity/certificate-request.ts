/** A request (PEM) for a certificate of this key (PKCS #8 PEM). The X.509 library is loaded now, not at the start of the program. */
export async function certificateRequest(key: string): Promise<string> {
  const issuer = await import('./certificate-issuer.js');
  return await issuer.createCertificateRequest(key);
}
