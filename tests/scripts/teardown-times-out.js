import { sleep } from 'k6';
import { hit } from './target.js';

export const options = { vus: 1, iterations: 1, teardownTimeout: '1s' };

export default function () {
  hit('/load');
}

export function teardown() {
  sleep(60);
}
