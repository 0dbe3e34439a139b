// OHIF on one study: what it opens, and what it shows of each report and each series of pictures.
//
// Facts come from OHIF's own state (window.services, window.cornerstone) and from the SVG that it
// has drawn over the image, carried back to LPS millimetres.
const TEXT_ONLY = '[data-cy="study-browser-thumbnail-no-image"]';
const PICTURED = '[data-cy="study-browser-thumbnail"]';
const NEXT_FINDING = '[data-cy="viewport-grid"] .right-viewport-scrollbar svg.rotate-180';

async function look(page, { base, study, marks, shot }) {
  await page.addInitScript(define);
  await page.goto(`${base}/viewer?StudyInstanceUIDs=${study}`, { timeout: 60000 });
  await page.waitForFunction(() => m3.instance() || m3.text(), null, { timeout: 60000 });
  await page.waitForFunction(() => document.querySelector('[data-cy^="study-browser-thumbnail"]'));
  await shot('opened');
  const research = page.locator('[data-cy="confirm-and-hide-button"]'); // the node's own pages ask
  if (await research.count()) await research.click();
  return {
    opened: await page.evaluate(() => m3.shown()),
    series: await page.evaluate(() => m3.series()),
    reports: await each(page, TEXT_ONLY, /^\s*SR\s*AI (nodule )?report/, n => report(page, n, shot)),
    pictures: await each(page, PICTURED, /AI nodule pictures/, n => pictures(page, n, shot)),
    documents: await each(page, TEXT_ONLY, /DOC\s*AI nodule report/, n => pdf(page, n, shot)),
    maps: await each(page, TEXT_ONLY, /PMAP\s*AI nodule heat maps/, n => map(page, n, shot)),
    unsupported: await page.evaluate(() => m3.unsupported()),
    marks: marks ? await each(page, TEXT_ONLY, new RegExp(marks), n => segments(page, n, shot)) : [],
  };
}

async function each(page, kind, name, lookAt) {
  const thumbnails = page.locator(kind, { hasText: name });
  const seen = [];
  for (let n = 0; n < await thumbnails.count(); n++) {
    await page.evaluate(() => { m3.before = m3.displaySet(); });
    await thumbnails.nth(n).dblclick();
    await page.waitForFunction(() => m3.displaySet() !== m3.before, null, { timeout: 30000 });
    seen.push(await lookAt(n));
  }
  return seen;
}

// A report as text, or its findings one after the other as they are drawn.
async function report(page, n, shot) {
  await page.waitForFunction(() => m3.text() || m3.findings() > 0, null, { timeout: 30000 });
  const text = await page.evaluate(() => m3.text());
  if (text) {
    await shot(`report-${n}`);
    return { text, findings: [] };
  }
  const findings = [];
  const count = await page.evaluate(() => m3.findings());
  for (let step = 0; findings.length < count && step < 2 * count; step++) {
    if (step) await page.locator(NEXT_FINDING).click();
    const drawn = await anotherOne(page, findings);
    if (drawn) findings.push(drawn);
    await shot(`report-${n}-finding-${findings.length}`);
  }
  return { text: '', findings };
}

// What is drawn and was not before.  OHIF may show the slice before it knows of what is drawn on it,
// and draws that once the slice is come back to.
async function anotherOne(page, before) {
  const uids = before.map(each => each.tracking_uid);
  const drawn = () => page.waitForFunction(seen => m3.drawn().find(
    each => !seen.includes(each.tracking_uid)), uids, { timeout: 8000 })
    .then(found => found.jsonValue(), () => null);
  const atOnce = await drawn();
  if (atOnce) return atOnce;
  await page.locator('[data-cy="viewport-grid"]').hover();
  for (const there of [100, -100]) {
    const { image } = await page.evaluate(() => m3.instance());
    await page.mouse.wheel(0, there);
    await page.waitForFunction(from => m3.instance().image !== from, image, { timeout: 8000 })
      .catch(() => {});
  }
  return drawn();
}

// Every frame that the wheel reaches, from the one that is shown first.
async function pictures(page, n, shot) {
  await page.waitForFunction(() => m3.rendered(), null, { timeout: 30000 });
  await shot(`pictures-${n}`);
  const frames = [await page.evaluate(() => m3.instance())];
  const count = await page.evaluate(() => m3.images());
  await page.locator('[data-cy="viewport-grid"]').hover();
  while (frames.length < count) {
    await page.mouse.wheel(0, 100);
    await page.waitForFunction(before => m3.rendered() && m3.instance().image !== before,
      frames.at(-1).image, { timeout: 15000 });
    frames.push(await page.evaluate(() => m3.instance()));
  }
  return { shown: await page.evaluate(() => m3.shown()), frames };
}

// The document as the browser's own reader has it.
async function pdf(page, n, shot) {
  const object = page.locator('[data-cy="viewport-grid"] object[type="application/pdf"]');
  await object.waitFor({ state: 'attached', timeout: 30000 });
  const url = await object.getAttribute('data');
  await shot(`document-${n}`);
  return page.evaluate(async from => {
    const bytes = new Uint8Array(await (await fetch(from)).arrayBuffer());
    return { bytes: bytes.length, begins: String.fromCharCode(...bytes.slice(0, 5)) };
  }, url);
}

// What is opened when a heat map is: its own pixels, or the CT.
async function map(page, n, shot) {
  await page.waitForFunction(() => m3.rendered(), null, { timeout: 30000 });
  await shot(`map-${n}`);
  return page.evaluate(() => ({ ...m3.shown(), ...m3.instance() }));
}

// The segments of a SEG, which OHIF retrieves as a whole instance, over the image that it opens.
async function segments(page, n, shot) {
  await page.waitForFunction(() => m3.segments().length > 0, null, { timeout: 60000 });
  await page.waitForFunction(() => m3.rendered(), null, { timeout: 30000 });
  await shot(`marks-${n}`);
  return page.evaluate(() => ({ ...m3.instance(), segments: m3.segments() }));
}

// Runs in the page before OHIF: window.m3, what is asked of OHIF later.
function define() {
  localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour']));
  const viewport = () => window.cornerstone?.getEnabledElements()
    .map(enabled => enabled.viewport).find(each => each.element.dataset.viewportUid === 'default'
      || each.id === 'default');
  const annotations = () => cornerstoneTools.annotation.state.getAllAnnotations()
    .filter(each => each.metadata.toolName === 'DICOMSRDisplay');
  const shape = element => {
    const { x, y, width, height } = element.getBBox();
    return viewport().canvasToWorld([x + width / 2, y + height / 2]);
  };
  const m3 = window.m3 = {
    // The image in the viewport: its object, and its place among those of the viewport, from 0.
    instance() {
      const image = viewport()?.getCurrentImageId?.();
      const [, uid, frame] = /instances\/([0-9.]+)\/frames\/(\d+)/.exec(image ?? '') ?? [];
      return uid && { image, sop_instance_uid: uid, frame: Number(frame),
        index: viewport().getCurrentImageIdIndex() };
    },
    images: () => viewport().getImageIds().length,
    rendered: () => viewport()?.viewportStatus === 'rendered' && Boolean(m3.instance()),
    // A report that OHIF shows as text.
    text: () => document.querySelector('[data-cy="viewport-grid"] .overflow-auto')
      ?.innerText.replace(/\s+/g, ' '),
    displaySet() {
      const { viewports, activeViewportId } = services.viewportGridService.getState();
      return viewports.get(activeViewportId)?.displaySetInstanceUIDs?.[0];
    },
    shown() {
      const set = services.displaySetService.getDisplaySetByUID(m3.displaySet());
      return { modality: set.Modality, series_number: Number(set.SeriesNumber) };
    },
    // In the order of the study browser.
    series: () => [...document.querySelectorAll('[data-cy^="study-browser-thumbnail"][data-series]')]
      .map(thumbnail => ({ series_number: Number(thumbnail.dataset.series),
        text: thumbnail.innerText.replace(/\s+/g, ' ') })),
    // What OHIF lists with a warning sign: it has nothing to show these with.
    unsupported: () => services.displaySetService.activeDisplaySets
      .filter(each => each.unsupported).map(each => each.Modality).sort(),
    findings: () => annotations().length,
    segments: () => services.segmentationService.getSegmentations()
      .flatMap(each => Object.values(each.segments).map(segment => segment.label)),
    // What is drawn over the image now: one outline each, with the lines written beside it.
    drawn() {
      const layer = document.querySelector('[data-cy="viewport-grid"] svg.svg-layer');
      const outlines = [...layer?.querySelectorAll(':scope > :is(polyline, path, circle, ellipse)')
        ?? []];
      const labels = [...layer?.querySelectorAll(':scope > g:has(text)') ?? []];
      if (outlines.length !== labels.length) return [];
      return outlines.map((outline, n) => {
        const uid = labels[n].dataset.annotationUid;
        const drawn = annotations().find(each => each.annotationUID === uid);
        return {
          sop_instance_uid: m3.instance().sop_instance_uid,
          tracking_uid: drawn?.data.TrackingUniqueIdentifier,
          centre_mm: shape(outline),
          lines: [...labels[n].querySelectorAll('tspan')].map(line => line.textContent),
        };
      });
    },
  };
}

module.exports = { look };
