// As many tabs of the node's page as a reader opens, one after another; only the last is seen.
// node tabs.cjs PLAYWRIGHT ADDRESS: says "opened" after the last, and "renewed" when the first, seen
// again, shows what came meanwhile.
const { withPage } = require('./browser.cjs');

const [playwright, address] = process.argv.slice(2);
const TABS = 8;

// Chromium without a display calls every tab visible.
const see = (page, hidden) => page.evaluate(hidden => {
  Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}, hidden);

withPage(playwright, async newPage => {
  const tabs = [];
  while (tabs.length < TABS) {
    const { page } = await newPage();
    page.setDefaultTimeout(10000);
    await page.goto(address);
    await see(page, true);
    tabs.push(page);
  }
  process.stdout.write('opened\n');
  await new Promise(resolve => process.stdin.once('data', resolve));
  await see(tabs[0], false);
  await tabs[0].waitForSelector('#rows tbody tr');
  process.stdout.write('renewed\n');
}).catch(error => {
  process.stdout.write(`${error.stack}\n`);
  process.exitCode = 1;
}).finally(() => process.stdin.destroy());
