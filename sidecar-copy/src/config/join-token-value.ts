import { ChannelError, parseJoinToken, ValueProblem, type ValueType } from '@trafficcopy/runtime';

/** A join token, checked for its form only. */
export const joinTokenValue: ValueType<string> = {
  expected: 'the whole token as intercept printed it, like tc1.….…',
  parse(text: string): string {
    try {
      parseJoinToken(text);
      return text.trim();
    } catch (error) {
      if (error instanceof ChannelError) throw new ValueProblem('');
      throw error;
    }
  },
};
