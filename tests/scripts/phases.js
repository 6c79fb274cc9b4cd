// Goes through all that k6 goes through, and stays in each part for as long as its test wants.
import { sleep } from 'k6';
import { hit, toil } from './target.js';

export const options = { vus: 2, duration: __ENV.DURATION || '5m' };

if (__ENV.READ_UNTIL) {
  toil(Number(__ENV.READ_UNTIL) - Date.now());
}

if (__VU > 0 && __ENV.BUILD) {
  toil(Number(__ENV.BUILD));
}

export function setup() {
  hit(`/setup${__ENV.SETUP || ''}`);
}

export default function () {
  hit('/load');
  sleep(0.1);
}

export function teardown() {
  hit(`/teardown${__ENV.TEARDOWN || ''}`);
}

export function handleSummary() {
  console.log('the summary is made');
  // If it is a pipe, k6 waits until somebody reads it.
  return __ENV.SUMMARY ? { [__ENV.SUMMARY]: 'summary' } : {};
}
