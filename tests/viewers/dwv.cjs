// dwv on a CT series and one report over it: where it draws, and what it writes there.
async function look(page, { base, series, report, shot }) {
  await page.goto(`${base}/dwv`);
  await page.waitForFunction(() => window.dwv, null, { timeout: 30000 });
  const { findings, warnings } = await page.evaluate(load, { base, series, report });
  await shot('loaded');
  const seen = [];
  for (const finding of findings) {
    seen.push({ ...finding, ...await page.evaluate(goTo, finding.tracking_uid) });
    await shot(`finding-${seen.length}`);
  }
  return { findings: seen, warnings };
}

// In the page: CT, then report; the annotations that dwv made of it, and what it warned of.
async function load({ base, series, report }) {
  const { Instances: images } = await (await fetch(`/series/${series}`)).json();
  const app = window.app = new dwv.App();
  const options = new dwv.AppOptions({ '*': [new dwv.ViewConfig('group')] });
  options.tools = { Draw: new dwv.ToolConfig(['Roi', 'Circle']), Scroll: new dwv.ToolConfig() };
  app.init(options);
  const loaded = ids => new Promise((resolve, reject) => {
    const once = (name, act) => {
      const heard = event => { app.removeEventListener(name, heard); act(event); };
      app.addEventListener(name, heard);
    };
    once('error', event => reject(event.error));
    once('loadend', event => resolve(event.dataid));
    app.loadURLs(ids.map(id => `${base}/instances/${id}/file`));
  });
  const drawn = new Promise(resolve => app.addEventListener('renderend', resolve));
  await loaded(images);
  await drawn;
  window.reportId = await loaded([report]);
  const data = app.getData(window.reportId);
  const findings = (data.annotationGroup?.getList() ?? []).map(each => ({
    tracking_uid: each.trackingUid,
    sop_instance_uid: each.referencedSopInstanceUID,
    centre_mm: each.getCentroid().getValues(),
  }));
  return { findings, warnings: data.warn };
}

// In the page: scroll to the annotation, as a click in dwv's list does; what is visible there.
async function goTo(uid) {
  const group = app.getActiveLayerGroup();
  const controller = group.getBaseViewLayer().getViewController();
  const annotation = app.getData(window.reportId).annotationGroup.find(uid);
  controller.setCurrentPosition(annotation.getCentroid());
  const [layer] = group.getDrawLayersByDataId(window.reportId);
  const stage = layer.getKonvaLayer().getStage();
  const shapes = stage.find(each => each.id() === uid && each.isVisible());
  return {
    shown_instance_uid: controller.getCurrentImageUid(),
    visible: shapes.length,
    lines: shapes.flatMap(each => each.find('Text')).filter(each => each.isVisible())
      .map(each => each.text()),
  };
}

module.exports = { look };
