// Two days after the call, Ada opens the link on her phone and pays.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { PHONE, assertQuiet, assertSound, device, shot, startBrowser } from './support/browser.mjs';
import { startNode } from './support/node.mjs';

const GOOD = '4242424242424242';
const TYPO = '4242424242424241';
const DECLINED = '4000000000000002';
const SECURITY_CODE = '961';
const CODE = /is your code/;
const CARD_IN_ADDRESS = /424242|400000|cvc|number=/;

describe('a customer pays by a link', () => {
  let node, browser, link, ada, page;

  before(async () => {
    [node, browser] = await Promise.all([startNode({ byHand: true }), startBrowser()]);
    link = await node.link();
    ada = await device(browser, PHONE);
    page = ada.page;
  });

  after(async () => {
    await browser?.close();
    await node?.stop();
  });

  it('opens on a page that tells nothing yet', async () => {
    const answer = await page.goto(link);
    assert.equal(answer.headers()['cache-control'], 'no-store');
    assert.equal(answer.headers()['referrer-policy'], 'no-referrer');
    assert.equal(await heading(), 'Your payment');
    assert.doesNotMatch(await text(page), /\$|Ada/);
    await assertSound(page);
    await shot(page, 'pay-1-start');
  });

  it('sends a code, because the proof from the call is two days old', async () => {
    const before = node.texts(CODE);
    await press('Continue');
    await page.getByLabel('Code').waitFor();
    assert.match(await node.text(CODE, before), /\b\d{6}\b/);
    assert.equal(await page.getByLabel('Code').getAttribute('autocomplete'), 'one-time-code');
    assert.match(await text(page), /You can try 3 times/);
    assert.doesNotMatch(await text(page), /\$/);
    await assertSound(page);
    await shot(page, 'pay-2-code');
  });

  it('says so when a code is wrong, and how many tries are left', async () => {
    const right = await newestCode();
    await giveCode(right === '000000' ? '000001' : '000000');
    const wrong = page.getByRole('alert');
    assert.match(await wrong.innerText(), /not the code that we sent/);
    assert.match(await text(page), /You can try 2 times/);
    assert.equal(await page.getByLabel('Code').getAttribute('aria-describedby'), await wrong.getAttribute('id'));
    await assertSound(page);
    await shot(page, 'pay-3-code-wrong');
  });

  it('shows the amount, the words and the form after the right one', async () => {
    await giveCode(await newestCode());
    await page.getByLabel('Card number').waitFor();
    assert.equal(await page.locator('.amount').innerText(), '$125.17');
    const words = await page.getByRole('blockquote').innerText();
    assert.match(words, /I authorize Riverside Clinic to charge \$125\.17 to this card today, .*2026/);
    await assertSound(page);
    await shot(page, 'pay-4-card');
  });

  it('names each field for people and for the browser', async () => {
    const purposes = { 'Card number': 'cc-number', Month: 'cc-exp-month', Year: 'cc-exp-year', 'Security code': 'cc-csc' };
    for (const [label, purpose] of Object.entries(purposes)) {
      const field = page.getByLabel(label);
      assert.equal(await field.getAttribute('autocomplete'), purpose);
      assert.equal(await field.getAttribute('inputmode'), 'numeric');
    }
    const agree = page.getByRole('checkbox');
    assert.equal(await agree.isChecked(), false, 'nobody agrees for the customer');
    const { height } = await page.getByRole('button', { name: 'Pay $125.17' }).boundingBox();
    assert.ok(height >= 44, 'a finger finds the button');
  });

  it('runs no script, not even one that got into the page', async () => {
    const stranger = await device(browser, PHONE);
    await stranger.page.goto(link);
    const outcome = await stranger.page.evaluate(async () => {
      const refused = new Promise((resolve) => document.addEventListener('securitypolicyviolation', (e) => resolve(e.effectiveDirective), { once: true }));
      const script = document.createElement('script');
      script.textContent = 'window.ran = true';
      document.body.append(script);
      return { refused: await refused, ran: window.ran === true };
    });
    assert.deepEqual(outcome, { refused: 'script-src-elem', ran: false });
    await stranger.context.close();
  });

  it('tells a second browser nothing until it has proved who it is', async () => {
    const second = await device(browser, PHONE);
    await second.page.goto(link);
    assert.equal(await second.page.getByRole('heading', { level: 1 }).innerText(), 'Is it you?');
    assert.doesNotMatch(await text(second.page), /125|authorize|Card number/);
    await assertSound(second.page);
    await shot(second.page, 'pay-5-second-browser');

    const card = { number: GOOD, month: '12', year: '2031', cvc: SECURITY_CODE, agree: 'yes', words_id: await page.locator('[name=words_id]').inputValue() };
    const forced = await second.context.request.post(`${link}/card`, { form: card });
    assert.doesNotMatch(await forced.text(), /125\.17|Thank you/);
    await second.context.close();
  });

  it('asks for the tick before it takes a card', async () => {
    await fill({ number: GOOD });
    await press('Pay $125.17');
    assert.equal(await page.getByRole('checkbox').evaluate((box) => box.validity.valueMissing), true);
    assert.equal(page.url(), link);
  });

  it('says beside the field what is wrong with a card, and keeps nothing of it', async () => {
    await fill({ number: TYPO, agree: true });
    await press('Pay $125.17');
    const wrong = page.getByRole('alert');
    assert.match(await wrong.innerText(), /card number/i);
    assert.equal(await page.getByLabel('Card number').getAttribute('aria-describedby'), await wrong.getAttribute('id'));
    for (const label of ['Card number', 'Month', 'Year', 'Security code']) {
      assert.equal(await page.getByLabel(label).inputValue(), '');
    }
    await assertNothingOf(page, TYPO);
    await assertSound(page);
    await shot(page, 'pay-6-card-typo');
  });

  it('tells kindly that a card was declined', async () => {
    await fill({ number: DECLINED, agree: true });
    await press('Pay $125.17');
    await page.getByText('This card was not charged').waitFor();
    assert.match(await page.getByRole('alert').innerText(), /use another card/);
    assert.doesNotMatch(await text(page), /card_declined/, 'the vendor\'s word is for the record');
    await assertNothingOf(page, DECLINED);
    await assertSound(page);
    await shot(page, 'pay-7-declined');
  });

  it('takes the good card and shows the reference and a copy of what was agreed', async () => {
    await fill({ number: GOOD, agree: true });
    await press('Pay $125.17');
    await page.getByText('Your payment was received').waitFor();
    const reference = await page.locator('dd').first().innerText();
    assert.match(await page.getByRole('blockquote').innerText(), /I authorize Riverside Clinic to charge \$125\.17/);
    const receipt = await node.text(/We received payment/);
    assert.ok(receipt.includes(reference) && receipt.includes('ending 4242'), receipt);
    await assertSound(page);
    await shot(page, 'pay-8-paid');
  });

  it('leaves no card behind: not in the page, not in an address, not where "back" leads', async () => {
    await assertNothingOf(page, GOOD);
    for (const request of ada.seen.requests) {
      assert.doesNotMatch(request.url(), CARD_IN_ADDRESS);
    }
    const stations = [];
    for (let steps = await page.evaluate(() => history.length); steps > 1; steps -= 1) {
      stations.push(await back());
      assert.doesNotMatch(page.url(), CARD_IN_ADDRESS);
      if (stations.at(-1) === 'shown') for (const number of [GOOD, DECLINED, TYPO]) await assertNothingOf(page, number);
    }
    assert.ok(stations.includes('shown'), `"back" led nowhere: ${stations}`);
    await page.goto(link);
    assert.equal(await heading(), 'Thank you', 'the browser that paid can look at its copy again');
  });

  it('tells everybody else that the link was used', async () => {
    const later = await device(browser, PHONE);
    const answer = await later.page.goto(link);
    assert.equal(answer.status(), 410);
    assert.match(await text(later.page), /This link has been used/);
    assert.doesNotMatch(await text(later.page), /125|ch_|authorize/);
    await assertSound(later.page);
    await shot(later.page, 'pay-9-used');
    await later.context.close();
  });

  it('asked nobody else for anything, and the browser has no complaint', () => {
    assertQuiet(ada.seen, new URL(link).host);
  });

  it('was one charge; nothing was revealed, no canary got out, the record verifies', async () => {
    const { charges, reveals, canaries, verified } = await node.summary();
    assert.deepEqual({ charges, reveals, canaries, verified }, { charges: 1, reveals: 0, canaries: 0, verified: true });
  });

  const heading = () => page.getByRole('heading', { level: 1 }).innerText();
  const text = (any) => any.locator('main').innerText();
  const press = (name) => page.getByRole('button', { name, exact: true }).click();

  async function newestCode() {
    const newest = await node.text(CODE, node.texts(CODE) - 1);
    return newest.match(/\b\d{6}\b/)[0];
  }

  async function giveCode(code) {
    await page.getByLabel('Code').fill(code);
    await press('Continue');
    await page.waitForLoadState();
  }

  async function fill({ number, agree = false }) {
    await page.getByLabel('Card number').fill(number.replace(/(.{4})(?=.)/g, '$1 '));
    await page.getByLabel('Month').fill('12');
    await page.getByLabel('Year').fill('2031');
    await page.getByLabel('Security code').fill(SECURITY_CODE);
    await page.getByRole('checkbox').setChecked(agree);
  }

  /** One page back: shown again, or gone, because the browser keeps no answer to a form. */
  async function back() {
    for (let tries = 20; ; tries -= 1) {
      try {
        await page.goBack();
        return 'shown';
      } catch (error) {
        if (/ERR_CACHE_MISS/.test(error)) return 'gone';
        // Chromium is still putting its page about the missing answer in place.
        if (!/Not attached/.test(error) || tries === 0) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  /** Neither as it is sent in the page, nor in its fields, nor grouped. */
  async function assertNothingOf(any, number) {
    const html = await any.content();
    const values = await any.locator('input').evaluateAll((fields) => fields.map((field) => field.value));
    const all = `${html} ${values.join(' ')}`.replace(/[ -]/g, '');
    assert.ok(!all.includes(number), 'the number of the card is in the page');
    assert.ok(!values.includes(SECURITY_CODE), 'the security code is in a field');
  }
});
