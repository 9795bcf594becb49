/** Logs in and says one command: redis-client HOST PASSWORD WORD... Prints the last line of the answer. */
import { connect } from 'node:net';

const [host = '', password = '', ...command] = process.argv.slice(2);
const commands = [['AUTH', password], command];

const socket = connect(6379, host, () => say());
let answer = '';
socket.on('data', (chunk) => {
  answer += chunk.toString('latin1');
  // A text has its length in a line before.
  if (!answer.endsWith('\r\n') || /^\$\d+\r\n$/.test(answer)) return;
  if (commands.length > 0) say();
  else {
    console.log(answer.trim().split('\r\n').at(-1));
    socket.end();
  }
});

/** The next command, after the answer to the one before. */
function say(): void {
  answer = '';
  const words = commands.shift() ?? [];
  socket.write(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`);
}
