// What is thrown in default() ends an iteration and not the test.
import { hit } from './target.js';

export const options = { vus: 1, iterations: 1 };

export default function () {
  hit('/load');
  throw new Error('no luck');
}
