// node look.cjs REQUEST: one browser that visits viewers one after the other.
//
// REQUEST is a JSON file: { playwright, out, visits: [{ name, viewer, ... }] }. For each visit, what
// the viewer showed is written to OUT/NAME.json and the screenshots to OUT/NAME-*.png.
const { readFileSync, writeFileSync } = require('node:fs');
const { withPage } = require('./browser.cjs');

async function main() {
  const { playwright, out, visits } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
  await withPage(playwright, async (newPage) => {
    for (const { name, viewer, ...asked } of visits) {
      const { page, said } = await newPage();
      const shot = step => page.screenshot({ path: `${out}/${name}-${step}.png` });
      let seen;
      try {
        seen = { shown: await require(`./${viewer}.cjs`).look(page, { ...asked, shot }), said };
      } catch (error) {
        await shot('failed');
        seen = { failed: String(error.stack), said };
      }
      writeFileSync(`${out}/${name}.json`, JSON.stringify(seen, null, 1));
      await page.close();
    }
  });
}

main().catch(error => { console.error(error); process.exit(1); });
