import { hit } from './target.js';

export const options = { vus: 1, iterations: 1, thresholds: { iterations: ['count>1'] } };

export default function () {
  hit('/load');
}
