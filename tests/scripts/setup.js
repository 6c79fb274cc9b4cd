// setup(), default() and teardown() tell the target which data they have.
import { sleep } from 'k6';
import { hit, turn } from './target.js';

export const options = { vus: 2, duration: __ENV.DURATION || '1s' };

export function setup() {
  hit(`/setup${__ENV.SETUP || ''}`);
  return { turn: turn() };
}

export default function (data) {
  hit(`/load?turn=${data.turn}`);
  sleep(0.1);
}

export function teardown(data) {
  hit(`/teardown${__ENV.TEARDOWN || ''}?turn=${data.turn}`);
}
