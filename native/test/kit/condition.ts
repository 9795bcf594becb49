/** Waits until `condition` holds, looking again on every turn of a short timer; rejects with `what` after the deadline. */
export async function until(
  what: string,
  condition: () => boolean,
  state: () => unknown = () => '',
  deadlineMs = 10_000,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${deadlineMs} ms in vain: ${what} ${JSON.stringify(state())}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
