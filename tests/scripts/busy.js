// A load that wants all of the CPU time that there is, until it is ended.
import http from 'k6/http';
import { toil } from './target.js';

export const options = { vus: 1, duration: '10m' };

export default function () {
  http.get(`${__ENV.TARGET}/load`, { headers: { 'X-Tminus-Runner': 'busy' } });
  toil(1000);
}
