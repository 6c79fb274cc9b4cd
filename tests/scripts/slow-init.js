// A script that takes its time to be read: until READ_UNTIL, in milliseconds since 1970.
import { hit, toil } from './target.js';

export const options = { vus: 1, iterations: 1 };

toil(Number(__ENV.READ_UNTIL) - Date.now());

export default function () {
  hit('/load');
}
