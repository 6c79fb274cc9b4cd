import { hit } from './target.js';

export const options = { vus: 1, iterations: 1 };

export function setup() {
  return { number: NaN };
}

export default function () {
  hit('/load');
}
