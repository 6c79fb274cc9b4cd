import { hit } from './target.js';

export const options = { vus: 5, iterations: 5 };

if (__VU > 3) {
  throw new Error('no luck for VU ' + __VU);
}

export default function () {
  hit('/load');
}
