// OHIF's list of studies: what each row says, and what the search by patient ID leaves of it.
async function look(page, { base, patient, shot }) {
  await page.goto(`${base}/`, { timeout: 60000 });
  const rows = () => page.locator('[data-cy^="studyRow"]').allInnerTexts()
    .then(texts => texts.map(text => text.replace(/\s+/g, ' ')));
  await page.locator('[data-cy^="studyRow"]').first().waitFor({ timeout: 120000 });
  await shot('listed');
  const listed = await rows();
  await page.goto(`${base}/?mrn=${patient}`, { timeout: 60000 });
  await page.locator('[data-cy^="studyRow"]').first().waitFor({ timeout: 120000 });
  await shot('found');
  return { listed, found: await rows() };
}

module.exports = { look };
