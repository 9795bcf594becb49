import { runProgram } from './program.js';

// A reader that went away (`trafficcopy --help | head`) is no fault.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});
// Standard output and error are written synchronously on Linux, so nothing is cut off here.
process.exit(await runProgram(process.argv.slice(2), process.env, process));
