import exec from 'k6/execution';
import { hit } from './target.js';

export const options = { vus: 1, iterations: 1 };

export default function () {
  hit('/load');
  exec.test.fail('not good enough');
}
