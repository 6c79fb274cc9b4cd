// Ten VUs, each of which takes half a second to be built. k6 builds some of them at the same time.
import { hit, toil } from './target.js';

export const options = { vus: 10, iterations: 10 };

if (__VU > 0) {
  toil(500);
}

export default function () {
  hit('/load');
}
