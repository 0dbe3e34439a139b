// node look.cjs PLAYWRIGHT_CORE URL OUT: open OHIF, look at everything of ours, write down what it shows.
const [playwright, url, out] = process.argv.slice(2);
const { chromium } = require(playwright);

const ARGS = ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const TEXT_ONLY = '[data-cy="study-browser-thumbnail-no-image"]';
const REPORTED = 'svg.svg-layer text, [data-cy="viewport-grid"] .overflow-auto';
const PICTURED = '[data-cy="study-browser-thumbnail"]';

async function main() {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ARGS });
  const context = await browser.newContext(
    { viewport: { width: 1500, height: 900 }, serviceWorkers: 'block' });
  await context.route('**/*', route =>
    new URL(route.request().url()).hostname === '127.0.0.1' ? route.continue() : route.abort());
  const page = await context.newPage();
  page.on('pageerror', error => console.log('EXCEPTION', String(error).slice(0, 300)));
  page.on('console', said => said.type() === 'error' && console.log('ERROR', said.text().slice(0, 300)));
  page.on('response', got => got.status() >= 400 && console.log('HTTP', got.status(), got.url()));

  const seen = async (name, drawn) => {
    if (drawn) await page.waitForSelector(drawn, { timeout: 30000, state: 'attached' }).catch(() => {});
    await page.waitForTimeout(4000);
    await page.screenshot({ path: `${out}/${name}.png` });
    const shown = await page.evaluate(() => ({
      place: [...document.querySelectorAll('[data-cy="viewport-overlay-bottom-right"]')]
        .map(e => e.innerText).join(),
      labels: [...document.querySelectorAll('svg.svg-layer text')]
        .map(t => [...t.querySelectorAll('tspan')].map(s => s.textContent).join(' | ')),
      text: [...document.querySelectorAll('[data-cy="viewport-grid"] .overflow-auto')]
        .map(e => e.innerText.replace(/\s+/g, ' ').slice(0, 200)),
    }));
    console.log(name, JSON.stringify(shown));
    return shown;
  };

  await page.goto(url, { timeout: 60000 });
  await page.waitForSelector(TEXT_ONLY, { timeout: 90000 });
  for (const button of ['Skip all', 'Confirm and hide'])
    await page.getByText(button).click({ timeout: 15000 }).catch(() => {});
  await seen('0-opened');
  const thumbnails = async kind => (await page.locator(kind).allInnerTexts())
    .map(text => text.replace(/\s+/g, ' '));
  console.log('series', JSON.stringify([...await thumbnails(PICTURED), ...await thumbnails(TEXT_ONLY)]));

  const reports = page.locator(TEXT_ONLY, { hasText: 'AI nodule report' });
  for (let n = 0; n < await reports.count(); n++) {
    await reports.nth(n).dblclick();
    let shown = await seen(`report-${n}`, REPORTED);
    const { place } = shown;
    for (let m = 0; !shown.text.length && m < 20; m++) {
      await page.mouse.click(1434, 67); // the arrow to the next finding
      shown = await seen(`report-${n}-finding-${m + 1}`);
      if (shown.place === place) break;
    }
  }
  const pictures = page.locator(PICTURED, { hasText: 'AI nodule pictures' });
  for (let n = 0; n < await pictures.count(); n++) {
    await pictures.nth(n).dblclick();
    await page.waitForTimeout(3000);
    await page.mouse.move(850, 450);
    await page.mouse.wheel(0, 100);
    await seen(`pictures-${n}`);
  }
  await browser.close();
}

main().catch(error => { console.error(error); process.exit(1); });
