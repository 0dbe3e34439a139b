// The page renews itself: it is told that something has changed, asks for itself again and takes
// over the parts marked data-live.  If it is told nothing any more, it says so in red.
const SILENCE_MS = 15000, AGAIN_MS = 5000;
const root = document.body.dataset.root;
const lost = document.getElementById('lost');
const announcer = document.getElementById('announcer');
let heardAt = Date.now(), lostAt = null, source = null, renewing = false, again = false;

function heard() {
  heardAt = Date.now();
  if (lostAt) {
    lostAt = null;
    lost.hidden = true;
    lost.textContent = '';
    renew();
  }
}

function say(because) {
  if (lostAt) return;
  lostAt = new Date();
  const time = lostAt.toLocaleTimeString([], { hour12: false });
  lost.textContent = `✖ ${because} since ${time}. What stands here may be out of date.`;
  lost.hidden = false;
}

// Whoever types, or has opened something, is not disturbed.
function takeOver(old, made) {
  if (old.isEqualNode(made)) return 0;
  const opened = [...old.querySelectorAll('details')].map(each => each.open);
  made.querySelectorAll('details').forEach((each, at) => { each.open = opened[at] ?? false; });
  const rows = new Map([...old.querySelectorAll('tr[id]')].map(row => [row.id, row]));
  let changed = 0;
  for (const row of made.querySelectorAll('tr[id]')) {
    if (!rows.get(row.id)?.isEqualNode(row)) {
      row.classList.add('changed');
      changed += 1;
    }
  }
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const links = [...old.querySelectorAll('a, button, summary')];
  const same = focused && [...made.querySelectorAll('a, button, summary')]
    .filter(each => focused.href ? each.href === focused.href : each.textContent === focused.textContent);
  const before = focused && links
    .filter(each => focused.href ? each.href === focused.href : each.textContent === focused.textContent);
  old.replaceWith(made);
  if (focused) (same[before.indexOf(focused)] ?? document.getElementById('content')).focus();
  return Math.max(1, changed);
}

async function renew() {
  if (renewing) { again = true; return; }
  renewing = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: 'text/html', 'X-By-Itself': '1' }, cache: 'no-store' });
    if (answer.redirected) { location.reload(); return; }
    if (!answer.ok) throw new Error(answer.status);
    const made = new DOMParser().parseFromString(await answer.text(), 'text/html');
    let changed = 0;
    for (const old of document.querySelectorAll('[data-live]')) {
      const part = made.getElementById(old.id);
      if (part) changed += takeOver(old, document.importNode(part, true)) && old.id !== 'wrong' ? 1 : 0;
    }
    document.body.dataset.word = made.body.dataset.word;
    if (changed) announcer.textContent = `Renewed at ${new Date().toLocaleTimeString([], { hour12: false })}`;
  } catch {
    say('The node does not answer this page');
  } finally {
    renewing = false;
    if (again) { again = false; renew(); }
  }
}

// A browser has six connections to a server for all of its tabs, and each tab that listens keeps one:
// so those that nobody sees do not, lest the seventh wait for ever.
function listen() {
  source?.close();
  if (document.hidden) return;
  source = new EventSource(`${root}/events?since=${encodeURIComponent(document.body.dataset.word)}`);
  source.addEventListener('beat', heard);
  source.addEventListener('change', () => { heard(); renew(); });
  source.addEventListener('error', () => {
    heardAt = Math.min(heardAt, Date.now() - SILENCE_MS + AGAIN_MS);
    if (source.readyState !== EventSource.CLOSED) return;
    say('The live connection to the node is lost');
    setTimeout(listen, AGAIN_MS);
  });
}

function seen() {
  if (document.hidden) { source?.close(); return; }
  heardAt = Date.now();
  listen();
  renew();
}

setInterval(() => {
  if (!document.hidden && Date.now() - heardAt > SILENCE_MS) say('The live connection to the node is lost');
}, 1000);
addEventListener('pagehide', () => source?.close());
addEventListener('pageshow', shown => { if (shown.persisted) seen(); });
document.addEventListener('visibilitychange', seen);
listen();
