// Writes a line to standard error at each of its ten iterations.
import { sleep } from 'k6';
import { hit } from './target.js';

export const options = { vus: 1, iterations: 10 };

export default function () {
  hit('/load');
  console.log('one more');
  sleep(0.05);
}
