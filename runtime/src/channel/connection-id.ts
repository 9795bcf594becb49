let last = 0;

/** A number for {@link ChannelConnection.id}: unique in the process. */
export function nextConnectionId(): number {
  last += 1;
  return last;
}
