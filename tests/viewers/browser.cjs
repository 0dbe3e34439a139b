// One Chromium without a display; it may ask loopback alone.
const ARGS = ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

// Calls work(newPage); newPage() is { page, said }, and `said` collects what the page complains of.
async function withPage(playwright, work) {
  const { chromium } = require(playwright);
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ARGS });
  try {
    const context = await browser.newContext(
      { viewport: { width: 1280, height: 760 }, serviceWorkers: 'block' });
    await context.route('**/*', route => {
      const { protocol, hostname } = new URL(route.request().url());
      return protocol === 'data:' || protocol === 'blob:' || hostname === '127.0.0.1'
        ? route.continue() : route.abort();
    });
    await work(async () => {
      const page = await context.newPage();
      const said = [];
      page.on('pageerror', error => said.push(`exception: ${String(error).slice(0, 300)}`));
      page.on('response', got => got.status() >= 400 && said.push(`${got.status()}: ${got.url()}`));
      return { page, said };
    });
  } finally {
    await browser.close();
  }
}

module.exports = { withPage };
