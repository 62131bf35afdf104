// A node of its own for a test: `selvedge demo --serve`, in a folder that is gone afterwards. With `byHand` the
// story stops where the customer holds the link, and the browser goes on.

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How long the node may take for anything, in milliseconds. The connectors may have to be built first. */
const PATIENCE = 240_000;

export async function startNode({ byHand = false } = {}) {
  if (!process.env.SELVEDGE) throw new Error('SELVEDGE names no binary: start the tests with tests/browser/run');
  const folder = await mkdtemp(join(tmpdir(), 'selvedge-browser-'));
  const options = ['demo', '--json', '--serve', '--data', folder, ...(byHand ? ['--by-hand'] : [])];
  const child = spawn(process.env.SELVEDGE, options, { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'pipe'] });
  const out = new Lines(child.stdout);
  const words = new Lines(child.stderr);
  child.on('close', (code) => [out, words].forEach((lines) => lines.end(`the node ended with ${code}:\n${words.lines.join('\n')}`)));

  return {
    /** The newest text on the customer's phone that matches, once one has arrived after `seen` of them. */
    async text(pattern, seen = 0) {
      return words.nth(seen, (line) => (line.startsWith('text ') && pattern.test(line) ? line.slice(4).trim() : undefined));
    },
    /** How many texts of that kind have arrived. */
    texts: (pattern) => words.lines.filter((line) => line.startsWith('text ') && pattern.test(line)).length,
    /** The payment link. */
    link: () => words.nth(0, (line) => line.match(/^link +(\S+)$/)?.[1]),
    /** The console's address. */
    console: () => words.nth(0, (line) => line.match(/^console +(\S+)$/)?.[1]),
    /** The token of a person with this function. */
    token: (person) => words.nth(0, (line) => line.match(new RegExp(`\\b${person} +([0-9a-f]{16,})`))?.[1]),
    /** The line at the end of the story. */
    summary: () => out.nth(0, (line) => (line.includes('"canaries"') ? JSON.parse(line) : undefined)),
    /** Every line of the record so far, as text. */
    events: () => out.lines.join('\n'),
    async stop() {
      if (child.exitCode === null) {
        child.kill('SIGINT');
        await new Promise((resolve) => child.once('close', resolve));
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The lines of a stream, to look at and to wait for. */
class Lines {
  lines = [];
  #rest = '';
  #over;
  #waiting = new Set();

  constructor(stream) {
    stream.setEncoding('utf8').on('data', (chunk) => {
      const parts = (this.#rest + chunk).split('\n');
      this.#rest = parts.pop();
      this.lines.push(...parts);
      this.#waiting.forEach((look) => look());
    });
  }

  end(why) {
    this.#over = why;
    this.#waiting.forEach((look) => look());
  }

  /** What `find` makes of the line that is the nth (from 0) it makes anything of. */
  nth(n, find) {
    return new Promise((resolve, reject) => {
      const done = (settle, value) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        settle(value);
      };
      const look = () => {
        const found = this.lines.map(find).filter((value) => value !== undefined);
        if (found.length > n) done(resolve, found[n]);
        else if (this.#over) done(reject, new Error(this.#over));
      };
      const timer = setTimeout(() => done(reject, new Error(`waited in vain; so far:\n${this.lines.join('\n')}`)), PATIENCE);
      this.#waiting.add(look);
      look();
    });
  }
}
