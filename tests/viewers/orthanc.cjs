// Orthanc's own pages: its Web Viewer on a series of images, its Explorer on one instance.
async function look(page, { base, series, instances, shot }) {
  const images = [];
  for (const one of series) images.push(await inWebViewer(page, { base, series: one, shot }));
  const tags = [];
  for (const one of instances) tags.push(await inExplorer(page, { base, instance: one, shot }));
  return { images, tags };
}

// The images that the wheel reaches, a dozen at most; each is named "instance_frame from 0".
async function inWebViewer(page, { base, series, shot }) {
  await page.goto(`${base}/web-viewer/app/viewer.html?series=${series}`);
  const { Slices: slices } = await (await page.request.get(
    `${base}/web-viewer/series/${series}`)).json();
  const image = () => {
    try {
      const { image: shown } = cornerstone.getEnabledElement(document.querySelector('#dicomImage'));
      return shown && { id: shown.imageId.replace(/^.*#/, ''), size: [shown.columns, shown.rows] };
    } catch { return undefined; }
  };
  await page.waitForFunction(image, null, { timeout: 30000 });
  const shown = [await page.evaluate(image)];
  await shot(`series-${series.slice(0, 8)}`);
  await page.locator('#dicomImage').hover();
  while (shown.length < Math.min(slices.length, 12)) {
    await page.mouse.wheel(0, 100);
    await page.waitForFunction(`(${image})()?.id !== ${JSON.stringify(shown.at(-1).id)}`,
      null, { timeout: 15000 });
    shown.push(await page.evaluate(image));
  }
  return { series, slices, shown, text: await page.evaluate(() => document.body.innerText) };
}

async function inExplorer(page, { base, instance, shot }) {
  await page.goto(`${base}/app/explorer.html#instance?uuid=${instance}`);
  const listed = () => document.querySelector('#instance')?.innerText ?? '';
  await page.waitForFunction(`(${listed})().includes('SOPInstanceUID')`, null, { timeout: 15000 });
  await shot(`instance-${instance.slice(0, 8)}`);
  return { instance, text: await page.evaluate(listed) };
}

module.exports = { look };
