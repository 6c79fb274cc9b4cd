import { hit } from './target.js';

export const options = { vus: 1, iterations: 1 };

export async function setup() {
  await new Promise(() => {});
}

export default function () {
  hit('/load');
}
