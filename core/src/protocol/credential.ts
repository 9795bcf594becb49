/** How one user of online logs in to the targets. */
export interface Credential {
  /** As the client names it. Empty: whatever name it gives, or none (Redis). */
  readonly user: string;
  /** As the target is to hear it. */
  readonly targetUser: string;
  readonly password: string;
  /** For connections whose login was not seen. Empty: none. */
  readonly database: string;
  /** For connections whose login was not seen: MySQL's number of a collation; 0: the module's own choice. */
  readonly collation: number;
}

/** Who may log in at one port of online, 1 or more. Connections whose login was not seen have the first. */
export type Credentials = readonly Credential[];

/** The credential of a user, with his name where it stands for all; undefined when there is none. */
export function credentialOf(credentials: Credentials, user: string): Credential | undefined {
  const known = credentials.find((one) => one.user === user) ?? credentials.find((one) => one.user === '');
  return known?.user === '' ? { ...known, targetUser: user } : known;
}
