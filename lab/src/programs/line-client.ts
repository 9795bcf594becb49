/** A client of a line protocol in which the server speaks first: --host --port --lines. Question: run -> lines answered. */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { ProgramControl } from './program-control.js';

const control = new ProgramControl(['host', 'port', 'lines']);
const linesMax = control.number('lines', 10);

control.on('run', async () => {
  const socket = connect({ host: control.text('host', '127.0.0.1'), port: control.number('port', 25), noDelay: true });
  let answered = -1;
  for await (const line of createInterface({ input: socket })) {
    // The first line is the greeting.
    answered += 1;
    if (!/^2\d\d /.test(line)) throw new Error(`unexpected answer: ${line}`);
    if (answered === linesMax) socket.end();
    else socket.write(`line ${answered + 1} of ${linesMax}\r\n`);
  }
  return answered;
});
control.ready();
