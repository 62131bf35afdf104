// The day after, Sam (a supervisor) looks at what happened, and Noor (an auditor) takes the evidence with her.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { DESK, PHONE, assertQuiet, assertSound, device, shot, startBrowser } from './support/browser.mjs';
import { startNode } from './support/node.mjs';

const CUSTOMER_DATA = /4242424242424242|4242 4242 4242|\b961\b|erythema|375\.50|37550|125\.17|3125550142|Ada Example|2026-10\b|October/;

describe('a colleague reads the story of an interaction', () => {
  let node, browser, address, interaction, sam, page;

  before(async () => {
    [node, browser] = await Promise.all([startNode(), startBrowser()]);
    interaction = (await node.summary()).interaction;
    address = await node.console();
    sam = await device(browser, DESK);
    page = sam.page;
  });

  after(async () => {
    await browser?.close();
    await node?.stop();
  });

  it('sends who is not signed in to the login', async () => {
    await page.goto(address);
    assert.equal(new URL(page.url()).pathname, '/console/login');
    await assertSound(page);
    await shot(page, 'console-1-login');
  });

  it('lets a made-up token in nowhere', async () => {
    const stranger = await device(browser, PHONE);
    const answer = await signIn(stranger.page, 'f'.repeat(48));
    assert.equal(answer.status(), 401);
    assert.match(await stranger.page.getByRole('alert').innerText(), /session/);
    await assertSound(stranger.page);
    await shot(stranger.page, 'console-2-login-wrong');
    await stranger.context.close();
  });

  it('lists the interactions to a supervisor', async () => {
    await signIn(page, await node.token('supervisor'));
    assert.equal(page.url(), address, 'the token stands in no address');
    const row = page.getByRole('row').filter({ hasText: interaction });
    assert.match(await row.innerText(), /healthcare-balance/);
    await assertSound(page);
    await shot(page, 'console-3-list');
  });

  it('tells what happened, each decision with its rule and its source', async () => {
    await page.getByRole('link', { name: interaction }).click();
    assert.equal(new URL(page.url()).pathname, `/console/interactions/${interaction}`);
    const story = await text(page);
    const told = [/verified by code over sms/, /disclosed account\.balance, account\.month over call/, /plan: accepted/, /contact permitted/, /payment taken/, /interaction over: completed/];
    told.forEach((part) => assert.match(story, part));
    const hours = page.locator('table.reasons tr').filter({ hasText: 'tcpa.hours' }).first();
    assert.match(await hours.innerText(), /47 CFR 64\.1200\(c\)\(1\)/);
    assert.match(await hours.innerText(), /America\/Chicago/);
    await assertSound(page);
    await shot(page, 'console-4-interaction');
  });

  it('shows which fields left and that no connector was told a value', async () => {
    const accesses = page.locator('h2', { hasText: 'Data accesses' }).locator('xpath=following-sibling::*');
    const section = (await accesses.allInnerTexts()).join('\n');
    assert.match(section, /Revealed to a connector: none/);
    assert.match(section, /patient\.mobile/);
    assert.match(section, /card\.number/);
  });

  it('holds no card, no diagnosis, no balance', async () => {
    await page.locator('details').evaluateAll((all) => all.forEach((one) => { one.open = true; }));
    assert.doesNotMatch(await text(page), CUSTOMER_DATA);
    assert.doesNotMatch(await page.content(), CUSTOMER_DATA);
    assert.doesNotMatch(node.events(), /4242424242424242|erythema|37550/);
  });

  it('fits a phone', async () => {
    const phone = await device(browser, PHONE);
    await signIn(phone.page, await node.token('supervisor'));
    await assertSound(phone.page);
    await phone.page.getByRole('link', { name: interaction }).click();
    await assertSound(phone.page);
    await phone.context.close();
  });

  it('refuses the supervisor the evidence, and says why', async () => {
    assert.equal(await page.getByRole('button', { name: 'Export the evidence' }).count(), 0, 'what is refused is not offered');
    const [answer] = await Promise.all([page.waitForNavigation(), page.evaluate((path) => {
      const form = Object.assign(document.createElement('form'), { method: 'post', action: path });
      document.body.append(form);
      form.submit();
    }, `/console/interactions/${interaction}/pack`)]);
    assert.equal(answer.status(), 403);
    assert.match(await text(page), /supervisor/);
    assert.match(await text(page), /export/);
    assert.match(await text(page), /N804/);
    await assertSound(page);
    await shot(page, 'console-5-refused');
  });

  it('signs out, and the way back is closed', async () => {
    await page.goto(address);
    await page.getByRole('button', { name: 'Sign out' }).click();
    assert.equal(new URL(page.url()).pathname, '/console/login');
    await page.goto(`${address}/interactions/${interaction}`);
    assert.equal(new URL(page.url()).pathname, '/console/login');
    assert.deepEqual(await sam.context.cookies(), []);
  });

  it('gives the auditor the evidence', async () => {
    const noor = await device(browser, DESK);
    await signIn(noor.page, await node.token('auditor'));
    await noor.page.getByRole('link', { name: interaction }).click();
    await shot(noor.page, 'console-6-auditor');
    const [download] = await Promise.all([noor.page.waitForEvent('download'), noor.page.getByRole('button', { name: 'Export the evidence' }).click()]);
    const pack = await readFile(await download.path(), 'utf8');
    assert.match(download.suggestedFilename(), new RegExp(interaction));
    assert.ok(pack.includes(interaction) && pack.includes('sha256:'));
    assert.doesNotMatch(pack, CUSTOMER_DATA);
    assertQuiet(noor.seen, new URL(address).host);
    await noor.context.close();
  });

  it('asked nobody else for anything, and the browser has no complaint', () => {
    assertQuiet(sam.seen, new URL(address).host);
  });

  const text = (any) => any.locator('main').innerText();

  async function signIn(any, token) {
    await any.goto(address);
    await any.getByLabel('Session token').fill(token);
    const [answer] = await Promise.all([any.waitForNavigation(), any.getByRole('button', { name: 'Sign in' }).click()]);
    return answer;
  }
});
