import { sleep } from 'k6';
import { hit } from './target.js';

export const options = { vus: 1, iterations: 1, setupTimeout: '1s' };

export function setup() {
  sleep(60);
}

export default function () {
  hit('/load');
}
