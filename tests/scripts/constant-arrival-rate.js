import { hit } from './target.js';

export const options = {
  scenarios: {
    it: { executor: 'constant-arrival-rate', rate: 100, timeUnit: '1s', duration: '1s', preAllocatedVUs: 5 },
  },
};

export default function () {
  hit('/load');
}
