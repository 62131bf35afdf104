// Something goes wrong: Sam (a supervisor) stops all texts, sees that it is so, and lets them go on again. Noor (an
// auditor) sees who stopped what, and can stop nothing.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DESK, PHONE, assertQuiet, assertSound, device, shot, startBrowser } from './support/browser.mjs';
import { startNode } from './support/node.mjs';

describe('a supervisor pulls the plug', () => {
  let node, browser, address, sam, page;

  before(async () => {
    [node, browser] = await Promise.all([startNode(), startBrowser()]);
    await node.summary();
    address = await node.console();
    sam = await device(browser, DESK);
    page = sam.page;
    await signIn(page, await node.token('supervisor'));
  });

  after(async () => {
    await browser?.close();
    await node?.stop();
  });

  it('finds the switches from the list', async () => {
    await page.getByRole('link', { name: 'Kill switches' }).click();
    assert.equal(new URL(page.url()).pathname, '/console/switches');
    assert.match(await text(page), /Nothing was ever stopped here/);
    await assertSound(page);
    await shot(page, 'switches-1-none');
  });

  it('is told what can be stopped where a name is mistyped', async () => {
    await stop(page, 'channel', 'smss', 'texts go out twice');
    assert.match(await text(page), /E512/);
    assert.match(await text(page), /`sms`/);
    await assertSound(page);
  });

  it('stops a channel with a reason', async () => {
    await page.goto(`${address}/switches`);
    await stop(page, 'channel', 'sms', 'texts go out twice');
    assert.equal(new URL(page.url()).pathname, '/console/switches');
    const row = page.getByRole('row').filter({ hasText: 'kill-1' });
    assert.match(await row.innerText(), /channel:sms[\s\S]*person:sam \(supervisor\)[\s\S]*texts go out twice/);
    assert.match(await text(page), /kill-1: nothing was under way/);
    await assertSound(page);
    await shot(page, 'switches-2-set');
  });

  it('shows an auditor who stopped what, and offers her nothing', async () => {
    const noor = await device(browser, PHONE);
    await signIn(noor.page, await node.token('auditor'));
    await noor.page.goto(`${address}/switches`);
    assert.match(await text(noor.page), /texts go out twice/);
    assert.equal(await noor.page.getByRole('button', { name: /Stop it|Lift/ }).count(), 0);
    await assertSound(noor.page);
    const [answer] = await Promise.all([noor.page.waitForNavigation(), noor.page.evaluate(() => {
      const form = Object.assign(document.createElement('form'), { method: 'post', action: '/console/switches/kill-1/lift' });
      form.innerHTML = '<input name="reason" value="it annoys me">';
      document.body.append(form);
      form.submit();
    })]);
    assert.equal(answer.status(), 403);
    assert.match(await text(noor.page), /N804/);
    await noor.context.close();
  });

  it('lets it go on with a reason', async () => {
    await page.getByLabel('Why it may go on').fill('the vendor mended it');
    await page.getByRole('button', { name: 'Lift kill-1' }).click();
    const row = page.getByRole('row').filter({ hasText: 'kill-1' });
    assert.match(await row.innerText(), /by person:sam \(supervisor\): the vendor mended it/);
    await assertSound(page);
    await shot(page, 'switches-3-lifted');
  });

  it('asked nobody else for anything, and the browser has no complaint', () => {
    assertQuiet(sam.seen, new URL(address).host);
  });

  const text = (any) => any.locator('main').innerText();

  async function stop(any, kind, name, reason) {
    await any.getByLabel(kind, { exact: true }).check();
    await any.getByLabel('Its name').fill(name);
    await any.getByLabel('Why', { exact: true }).fill(reason);
    await any.getByRole('button', { name: 'Stop it' }).click();
  }

  async function signIn(any, token) {
    await any.goto(address);
    await any.getByLabel('Session token').fill(token);
    await Promise.all([any.waitForNavigation(), any.getByRole('button', { name: 'Sign in' }).click()]);
  }
});
