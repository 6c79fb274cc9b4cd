// k6 evaluates thresholds also while it is paused.
import { Counter } from 'k6/metrics';
import { hit } from './target.js';

const accounts = new Counter('accounts');

export const options = {
  vus: 1,
  iterations: 1,
  thresholds: { accounts: [{ threshold: 'count<1', abortOnFail: true }] },
};

export function setup() {
  accounts.add(1);
}

export default function () {
  hit('/load');
}
