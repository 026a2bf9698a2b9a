// Replaces the regions of a page as the daemon sends them, and gives commands
// without leaving it. The page is whole without this.
'use strict';
(() => {
  const link = document.getElementById('link');
  const said = document.getElementById('said');
  const address = document.body.dataset.live;
  let stream, late, last;

  const tell = (state, text) => {
    if (link.dataset.state === state) return;
    link.dataset.state = state;
    link.textContent = state === 'live' || !last ? text : text + ' Last news at ' + last.toLocaleTimeString() + '.';
  };

  // What the reader is about to copy stays until the selection is gone.
  const waiting = new Map();
  const selected = (region) => {
    const s = getSelection();
    return s.type === 'Range' && s.containsNode(region, true);
  };

  // What did not change stays the same elements, so that nothing is read out
  // twice. Folds that were open stay open, and the focus stays where it was.
  const replace = (id, html) => {
    const region = document.getElementById(id);
    waiting.delete(id);
    if (!region) return;
    if (selected(region)) return waiting.set(id, html);
    const fresh = document.createElement('template');
    fresh.innerHTML = html;
    for (const fold of region.querySelectorAll('details[open]')) {
      fresh.content.getElementById(fold.id)?.setAttribute('open', '');
    }
    if (fresh.innerHTML === region.innerHTML) return;
    const focus = region.contains(document.activeElement) && document.activeElement.id;
    region.replaceChildren(fresh.content);
    if (focus) (document.getElementById(focus) || document.getElementById('main')).focus({ preventScroll: true });
  };

  // A connection that ends without a word is noticed by its silence: the daemon
  // says something, news or not, every few seconds.
  const heard = () => {
    last = new Date();
    clearTimeout(late);
    late = setTimeout(() => tell('broken', 'Not live: the daemon is silent.'), 15000);
    tell('live', 'Live');
  };

  const connect = () => {
    stream = new EventSource(address);
    stream.onopen = heard;
    stream.addEventListener('alive', heard);
    stream.onmessage = (event) => {
      heard();
      for (const [id, html] of Object.entries(JSON.parse(event.data))) replace(id, html);
    };
    stream.onerror = () => {
      clearTimeout(late);
      if (stream.readyState === EventSource.CLOSED) tell('broken', 'Not live: the daemon ended it. Reload.');
      else tell('broken', 'Not live: trying to reach the daemon.');
    };
  };

  // Browsers bound the connections to a host over all tabs: one that nobody
  // sees gives its own back.
  const follow = () => {
    if (document.hidden) {
      stream?.close();
      stream = null;
      clearTimeout(late);
    } else if (!stream) connect();
  };

  const give = async (form) => {
    said.textContent = 'Sending …';
    try {
      const answer = await fetch(form.action, {
        method: 'POST',
        headers: { Accept: 'application/json' },
        body: new URLSearchParams(new FormData(form)),
      });
      const { message, error } = await answer.json();
      said.textContent = error ? 'Refused: ' + error : message;
      if (answer.ok) form.closest('details')?.removeAttribute('open');
    } catch {
      said.textContent = 'No answer from the daemon. Reload to see whether it was done.';
    }
    delete form.dataset.busy;
  };

  document.addEventListener('submit', (event) => {
    const form = event.target;
    event.preventDefault();
    if (form.dataset.busy) return;
    form.dataset.busy = 'yes';
    give(form);
  });
  document.addEventListener('selectionchange', () => waiting.forEach((html, id) => replace(id, html)));
  document.addEventListener('visibilitychange', follow);
  follow();
})();
