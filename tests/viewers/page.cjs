// The node's own page in one browser: log-in, search, keyboard, live, actions, widths, axe.
// node page.cjs REQUEST.json: { playwright, axe, base, out, name, viewer, password, accession, erased }
const fs = require('node:fs');
const { withPage } = require('./browser.cjs');

const asked = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const axe = fs.readFileSync(asked.axe, 'utf8');
const told = { axe: {}, widths: {}, said: [] };

// Tab until the element with that text has the focus; the keyboard alone must get there.
async function tabTo(page, text) {
  for (let presses = 0; presses < 120; presses += 1) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => document.activeElement.innerText ?? '');
    if (at.startsWith(text)) return;
  }
  throw new Error(`the keyboard does not get to ${text}`);
}

async function logIn(page, name) {
  await page.waitForFunction(() => document.activeElement.id === 'name');
  await page.keyboard.type(name);
  await page.keyboard.press('Tab');
  await page.keyboard.type(asked.password);
  await page.keyboard.press('Enter');
}

const outlined = page => page.evaluate(() =>
  getComputedStyle(document.activeElement).outlineStyle !== 'none');

async function examine(page, name) {
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    told.axe[`${name} ${scheme}`] = found.violations
      .filter(each => ['serious', 'critical'].includes(each.impact))
      .map(each => `${each.id}: ${each.nodes.map(node => node.html.slice(0, 120)).join(' | ')}`);
    await page.screenshot({ path: `${asked.out}/${name}-${scheme}.png` });
  }
  await page.setViewportSize({ width: 320, height: 640 });
  told.widths[name] = await page.evaluate(() => document.documentElement.scrollWidth);
  await page.screenshot({ path: `${asked.out}/${name}-phone.png` });
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
}

withPage(asked.playwright, async newPage => {
  const open = async () => {
    const { page, said } = await newPage();
    page.on('console', message => message.type() === 'error' && said.push(message.text()));
    told.said.push(said);
    return page;
  };
  const page = await open();
  page.setDefaultTimeout(20000);

  await page.goto(`${asked.base}/`);
  told.first = new URL(page.url()).pathname;
  await examine(page, 'login');
  await logIn(page, asked.name);
  await page.waitForSelector('#rows tbody tr');
  told.listed = await page.locator('#rows tbody tr').count();
  await examine(page, 'studies');

  await page.locator('#q').focus();
  await page.keyboard.type(asked.accession);
  await page.keyboard.press('Enter');
  await page.waitForURL(/q=/);
  told.found = await page.locator('#rows tbody tr').count();
  await tabTo(page, asked.accession);
  told.focusIsSeen = await outlined(page);
  await page.keyboard.press('Enter');
  await page.waitForSelector('#diary');
  told.study = await page.locator('h1').innerText();
  for (const figure of await page.locator('figure > a > img').all()) {
    await figure.scrollIntoViewIfNeeded();
  }
  await page.waitForFunction(() => [...document.querySelectorAll('figure > a > img')]
    .every(image => image.complete && image.naturalWidth > 100));
  told.pictures = await page.locator('figure > a > img').count();
  await page.evaluate(() => scrollTo(0, 0));
  await examine(page, 'study');
  const address = page.url();

  const other = await open();
  await other.goto(address);
  await other.waitForTimeout(500);
  await tabTo(page, 'Requeue');
  await page.keyboard.press('Enter');
  await page.waitForSelector('main form');
  await tabTo(page, 'Requeue');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.said[role=status]');
  told.done = await page.locator('.said[role=status]').innerText();
  told.diary = await page.locator('.diary').innerText();
  await other.waitForFunction(by => document.querySelector('#diary').innerText.includes(by),
    `${asked.name} (operator) asked for job`);
  told.live = await other.locator('#announcer').innerText();

  await page.goto(`${asked.base}/?q=${asked.erased}`);
  await tabTo(page, asked.erased);
  await page.keyboard.press('Enter');
  await page.waitForSelector('#diary');
  await tabTo(page, 'Delete');
  await page.keyboard.press('Enter');
  await page.waitForSelector('main form');
  told.takes = await page.locator('main').innerText();
  await examine(page, 'delete');
  await tabTo(page, 'Delete');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.said[role=status]');
  told.erased = await page.locator('.said[role=status]').innerText();
  told.left = await page.locator('#rows').innerText();

  // Somebody who may only look sees no button, and is refused at whatever address.
  const context = await page.context().browser().newContext({ viewport: { width: 1280, height: 800 } });
  const viewer = await context.newPage();
  await viewer.goto(`${asked.base}/study/${asked.accession}`);
  await logIn(viewer, asked.viewer);
  await viewer.waitForSelector('#diary');
  told.cautions = await viewer.locator('.said.look').allInnerTexts();
  told.offered = await viewer.locator('a[href*="/act/"]').count();
  await viewer.goto(`${asked.base}/act/delete-study/${asked.accession}`);
  told.refused = await viewer.locator('main').innerText();
  await examine(viewer, 'refused');
  told.posted = await viewer.evaluate(async () => {
    const token = document.querySelector('input[name=csrf_token]').value; // of the way out
    const body = new URLSearchParams({ csrf_token: token });
    return (await fetch(location.href, { method: 'POST', body })).status;
  });
  await viewer.locator('text=Log out').click();
  await viewer.waitForSelector('#password');
  await viewer.goBack(); // a browser that kept the page would show it now
  await viewer.waitForSelector('#password');
  told.after = new URL(viewer.url()).pathname;

  for (const name of ['queue', 'destinations', 'model', 'system']) {
    await page.goto(`${asked.base}/${name}`);
    await examine(page, name);
  }
  told.complained = told.said.flat();
  process.stdout.write('lose\n'); // the server ends now
  await other.waitForSelector('#lost:not([hidden])', { timeout: 30000 });
  told.lost = await other.locator('#lost').innerText();
  fs.writeFileSync(`${asked.out}/page.json`, JSON.stringify(told));
}).catch(error => {
  process.stdout.write(`${error.stack}\n${JSON.stringify(told)}\n`);
  process.exitCode = 1;
});
