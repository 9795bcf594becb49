import { runPlugin } from './program.js';
import { TerminalOutput } from './terminal-output.js';

// A reader that went away (`kubectl trafficcopy status | head`) is no fault.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});
process.exit(await runPlugin(process.argv.slice(2), process.env, new TerminalOutput()));
