import { sleep } from 'k6';
import { hit } from './target.js';

export const options = {
  scenarios: {
    it: {
      executor: 'ramping-vus',
      startVUs: 1, // From none, the first would start when the ramp says so.
      stages: [{ duration: '1s', target: 5 }],
      gracefulRampDown: '0s',
    },
  },
};

export default function () {
  hit('/load');
  sleep(0.1);
}
