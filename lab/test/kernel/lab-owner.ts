/** Makes a lab with one guest, says "LAB GUEST-PID", and waits to be ended: for the tests of cleaning up. */
import { Lab } from '../../src/index.js';

const lab = await Lab.create();
const guest = await lab.client.start('guest', 'sleep', ['1000']);
console.log(`${lab.name} ${guest.pid}`);
setInterval(() => {}, 1000);
