import { pino } from 'pino';
import { isMeantForUsers } from '../errors/meant-for-users.js';

type Fields = ReturnType<typeof pino.stdSerializers.errWithCause>;

/**
 * What the log has of an error: message, code and causes. Of one that is meant for users the stack says nothing, and nor do those of its causes; of any
 * other it is what matters.
 */
export function errorFields(error: Error): Fields {
  // The default puts the messages of all causes into one: ours say already what the system said.
  const fields = pino.stdSerializers.errWithCause(error);
  return error instanceof Error && isMeantForUsers(error) ? withoutStacks(fields) : fields;
}

function withoutStacks(fields: Fields): Fields {
  const { stack: _stack, cause, ...rest } = fields as Fields & { cause?: Fields };
  return { ...rest, ...(cause === undefined ? {} : { cause: withoutStacks(cause) }) } as Fields;
}
