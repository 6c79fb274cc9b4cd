// Buyers of a web shop: each looks at the products, fills a basket and pays.
//
//   TARGET   where the shop is, for instance http://127.0.0.1:8080
//   LOAD     the fraction of the full load to make, for instance 0.25 for a warm-up (default 1)
import http from 'k6/http';
import { check, group } from 'k6';

const target = __ENV.TARGET;
const load = Number(__ENV.LOAD || 1);
if (!target) {
  throw new Error('set TARGET to the URL of the shop');
}

// tminus tells k6 which runner it is; the target keeps its counts by this name.
const params = {
  headers: {
    'Content-Type': 'application/json',
    'X-Tminus-Runner': __ENV.TMINUS_RUNNER || 'runner',
  },
};

export const options = {
  scenarios: {
    checkout: {
      executor: 'constant-arrival-rate',
      rate: Math.max(1, Math.round(20 * load)),
      timeUnit: '1s',
      duration: '10s',
      preAllocatedVUs: 10,
    },
  },
  thresholds: {
    checks: ['rate>0.99'],
    http_req_duration: ['p(95)<500'],
  },
};

export function setup() {
  const response = http.post(`${target}/setup/account`, JSON.stringify({ currency: 'EUR' }), params);
  if (response.status !== 200) {
    throw new Error(`no account for the buyers: the shop answered ${response.status}`);
  }
  return { account: 'demo', currency: 'EUR' };
}

export default function (data) {
  group('browse', () => {
    const response = http.get(`${target}/products`, params);
    check(response, { 'products are shown': (r) => r.status === 200 });
  });

  group('pay', () => {
    const basket = { account: data.account, items: [{ product: 1, count: 2 }] };
    const filled = http.post(`${target}/basket`, JSON.stringify(basket), params);
    check(filled, { 'basket is filled': (r) => r.status === 200 });

    const order = { account: data.account, currency: data.currency };
    const paid = http.post(`${target}/orders`, JSON.stringify(order), params);
    check(paid, { 'order is paid': (r) => r.status === 200 });
  });
}

export function teardown(data) {
  http.del(`${target}/teardown/account`, JSON.stringify({ account: data.account }), params);
}
