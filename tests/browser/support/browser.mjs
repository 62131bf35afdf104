// Chromium, and an eye on it: what it asked for, what it complained about, how each page fits a phone.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

export const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
export const DESK = { viewport: { width: 1280, height: 800 } };

/** How long a page may take, in milliseconds. */
const PATIENCE = 15_000;
const SHOTS = process.env.SHOTS;

/** Chromium with a fresh profile that talks to nobody by itself. */
export function startBrowser() {
  const quiet = ['--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', ...quiet],
  });
}

/** A browser of its own on some device, and what was seen of it. */
export async function device(browser, options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE);
  const seen = { requests: [], complaints: [] };
  context.on('request', (request) => seen.requests.push(request));
  context.on('console', (message) => {
    // Chromium says so of every answer that is not 2xx; whether that is right, the test of the page says.
    const status = /^Failed to load resource: the server responded with a status of (403|410|422) /;
    if (message.type() === 'error' && !status.test(message.text())) seen.complaints.push(message.text());
  });
  context.on('weberror', (error) => seen.complaints.push(String(error.error())));
  return { context, page: await context.newPage(), seen };
}

/** Nothing was asked of any other host, and the browser had nothing to complain about. */
export function assertQuiet(seen, host) {
  const others = seen.requests.map((request) => new URL(request.url())).filter((url) => url.host !== host);
  assert.deepEqual(others.map(String), []);
  assert.deepEqual(seen.requests.filter((request) => request.resourceType() === 'script').map((r) => r.url()), []);
  assert.deepEqual(seen.complaints, []);
}

/** Nothing to run in the page, nothing wider than the screen, each field with a name to be read out. */
export async function assertSound(page) {
  const found = await page.evaluate(() => ({
    scripts: document.scripts.length,
    handlers: [...document.querySelectorAll('*')].flatMap((e) => e.getAttributeNames().filter((name) => name.startsWith('on'))),
    nameless: [...document.querySelectorAll('input:not([type=hidden])')].filter((e) => !e.labels.length).map((e) => e.name),
    dangling: [...document.querySelectorAll('[aria-describedby]')].filter((e) => !document.getElementById(e.getAttribute('aria-describedby'))).map((e) => e.name),
    wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    headings: document.querySelectorAll('h1').length,
  }));
  assert.deepEqual(found, { scripts: 0, handlers: [], nameless: [], dangling: [], wider: 0, headings: 1 });
}

/** Where SHOTS names a folder, a picture of the page on a phone and on a desk. */
export async function shot(page, name) {
  if (!SHOTS) return;
  await mkdir(SHOTS, { recursive: true });
  const own = page.viewportSize();
  for (const { width, height } of [PHONE.viewport, DESK.viewport]) {
    await page.setViewportSize({ width, height });
    await page.screenshot({ path: join(SHOTS, `${name}-${width}.png`), fullPage: true });
  }
  await page.setViewportSize(own);
}
