import exec from 'k6/execution';
import { hit } from './target.js';

export const options = { vus: 1, iterations: 1 };

export function setup() {
  exec.test.abort('enough');
}

export default function () {
  hit('/load');
}
