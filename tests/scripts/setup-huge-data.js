import { hit } from './target.js';

export const options = { vus: 1, iterations: 1 };

export function setup() {
  return { text: 'x'.repeat(5000000) };
}

export default function (data) {
  hit(`/load?length=${data.text.length}`);
}
