/** Removes what labs of dead processes left behind. */
import { reapDeadLabs } from '../reaper.js';

for (const name of reapDeadLabs()) console.log(`lab: removed what ${name} left`);
