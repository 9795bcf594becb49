/** What one side of a TLS channel holds. All PEM. */
export interface ClientCredentials {
  /** PKCS #8. */
  readonly key: string;
  /** The own certificate. */
  readonly certificate: string;
  /** The authority that issued it, and that the server's certificate must come from. */
  readonly authority: string;
}

/** As {@link ClientCredentials}; the certificate is for a server. */
export interface ServerCredentials {
  readonly key: string;
  readonly certificate: string;
  /** Sent to clients behind the own certificate, so that a newcomer can compare it with its token's pin. */
  readonly authority: string;
}
