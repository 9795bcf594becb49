import { afterEach } from 'node:test';

interface Closable {
  close(): void;
}

/** What the tests of a suite open: closed after each test, passed or failed, newest first. Call it in the suite. */
export function belongings(): <T extends Closable>(thing: T) => T {
  const opened: Closable[] = [];
  afterEach(() => {
    for (const thing of opened.splice(0).reverse()) thing.close();
  });
  return (thing) => {
    opened.push(thing);
    return thing;
  };
}
