// What the other scripts have in common: requests to the target, in the name of the runner.
import http from 'k6/http';

const params = { headers: { 'X-Tminus-Runner': __ENV.TMINUS_RUNNER } };

export function hit(path) {
  return http.get(`${__ENV.TARGET}${path}`, params);
}

// How often this was called, over all calls that the target has seen: what k6 runs twice gets two numbers.
export function turn() {
  http.get(`${__ENV.TARGET}/turn`, { headers: { 'X-Tminus-Runner': 'turns' } });
  return http.get(`${__ENV.TARGET}/first-requests`).json('runners.turns.count');
}

// Keeps the CPU busy: there is no sleep() before the test runs.
export function toil(milliseconds) {
  const end = Date.now() + milliseconds;
  while (Date.now() < end);
}
