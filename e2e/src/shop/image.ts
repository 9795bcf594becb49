/** Where the cluster finds an image that was built here. */
export function imageOf(name: string): string {
  return `${process.env['E2E_REGISTRY'] ?? 'localhost'}/${name}:dev`;
}
