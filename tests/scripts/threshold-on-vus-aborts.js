// k6 evaluates thresholds also while it is paused.
import { hit } from './target.js';

export const options = {
  vus: 1,
  iterations: 1,
  thresholds: { vus: [{ threshold: 'value<0', abortOnFail: true }] },
};

export default function () {
  hit('/load');
}
