// A script that takes five seconds to be read, and its one VU no time.
import { hit, toil } from './target.js';

export const options = { vus: 1, iterations: 1 };

if (__VU === 0) {
  toil(5000);
}

export default function () {
  hit('/load');
}
