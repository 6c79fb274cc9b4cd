import { sleep } from 'k6';
import { hit } from './target.js';

export const options = { vus: 5, duration: '1s' };

export default function () {
  hit('/load');
  sleep(0.1);
}
