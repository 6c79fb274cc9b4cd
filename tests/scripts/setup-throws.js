import { hit } from './target.js';

export const options = { vus: 1, iterations: 1 };

export function setup() {
  throw new Error('no luck');
}

export default function () {
  hit('/load');
}
