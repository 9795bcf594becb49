/** As much of Redis as a test of logins needs: redis-server PASSWORD. AUTH, SET and GET of one word each, in arrays (RESP2), on port 6379. */
import { createServer, type Socket } from 'node:net';

const [password = ''] = process.argv.slice(2);
const values = new Map<string, string>();

createServer((socket) => {
  let text = '';
  let isLoggedIn = false;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    for (let taken = take(text); taken !== undefined; taken = take(text)) {
      text = taken.rest;
      isLoggedIn = answer(socket, taken.words, isLoggedIn);
    }
  });
}).listen(6379);

/** The first command, once it is whole. */
function take(text: string): { readonly words: readonly string[]; readonly rest: string } | undefined {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (head === null) return undefined;
  const lines = text.slice(head[0].length).split('\r\n');
  const count = 2 * Number(head[1]);
  if (lines.length <= count) return undefined;
  // Every other line is a length.
  return { words: lines.slice(0, count).filter((_, at) => at % 2 === 1), rest: lines.slice(count).join('\r\n') };
}

function answer(socket: Socket, words: readonly string[], isLoggedIn: boolean): boolean {
  const [command = '', key = '', value = ''] = words;
  if (command === 'AUTH') {
    const isRight = words.at(-1) === password;
    socket.write(isRight ? '+OK\r\n' : '-WRONGPASS invalid username-password pair\r\n');
    return isRight;
  }
  if (!isLoggedIn) socket.write('-NOAUTH Authentication required.\r\n');
  else if (command === 'SET') {
    values.set(key, value);
    socket.write('+OK\r\n');
  } else {
    const known = values.get(key);
    socket.write(known === undefined ? '$-1\r\n' : `$${known.length}\r\n${known}\r\n`);
  }
  return isLoggedIn;
}
