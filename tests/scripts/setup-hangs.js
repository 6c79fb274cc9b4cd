import { sleep } from 'k6';
import { hit } from './target.js';

export const options = { vus: 1, iterations: 1, setupTimeout: '10m' };

export function setup() {
  hit('/setup');
  sleep(600);
}

export default function () {
  hit('/load');
}

export function teardown() {
  hit('/teardown');
}
