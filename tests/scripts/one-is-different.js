// The runner that ONE names does what the others do not; WHAT says what.
import { sleep } from 'k6';
import { hit, toil } from './target.js';

const what = __ENV.TMINUS_RUNNER === __ENV.ONE ? __ENV.WHAT : 'nothing';

export const options = {
  vus: 2,
  duration: __ENV.DURATION || '1s',
  thresholds: thresholds(),
};

function thresholds() {
  switch (what) {
    case 'threshold':
      return { iterations: ['count<1'] };
    case 'abort on fail':
      return { iterations: [{ threshold: 'count<1', abortOnFail: true }] };
    default:
      return {};
  }
}

if (what === 'slow init' && __VU === 0) {
  toil(5000);
}

if (what === 'init throws') {
  throw new Error('no luck');
}

export function setup() {
  hit(what === 'slow setup' ? `/setup/delay/${__ENV.DELAY || '3s'}` : '/setup');
  if (what === 'setup throws') {
    throw new Error('no luck');
  }
  return { of: __ENV.TMINUS_RUNNER };
}

export default function (data) {
  hit(`/load?of=${data.of}`);
  sleep(0.1);
}

export function teardown(data) {
  hit(`/teardown?of=${data.of}`);
}
