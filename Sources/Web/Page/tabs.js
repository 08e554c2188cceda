// The row of tabs, and the list of all of them that comes when they are more than fit.

/** What an entry of the row is to the page: see app.js. */
export class TabBar {
  #row;
  #all;
  #list;
  #page;
  /** Which tab was active, where, in a row how wide. */
  #layout;

  /**
   * @param {HTMLElement} row @param {HTMLElement} all the button of the list @param {HTMLElement} list
   * @param {object} page `show`, `close`, `step`, `rename`, `nameOf`, `entries`, `active`
   */
  constructor(row, all, list, page) {
    this.#row = row;
    this.#all = all;
    this.#list = list;
    this.#page = page;
    row.addEventListener('wheel', (event) => {
      if (event.deltaY === 0) return;
      event.preventDefault();
      row.scrollLeft += event.deltaY;
    }, { passive: false });
    new ResizeObserver(() => this.drawAll()).observe(row);
    list.addEventListener('beforetoggle', ({ newState }) => newState === 'open' && this.#fill());
    list.addEventListener('keydown', (event) => this.#move(event));
  }

  /** @returns {HTMLElement} the tab, at the end of the row */
  make(entry) {
    const tab = document.createElement('div');
    tab.className = 'tab';
    tab.role = 'presentation';
    // A tab list holds tabs only. The cross is for the pointer; on the keyboard Delete closes a tab.
    tab.innerHTML = '<button role="tab"><i class="dot"></i><span class="name"></span></button>'
      + '<button class="quiet close" tabindex="-1" aria-hidden="true" title="Close">'
      + '<svg viewBox="0 0 16 16"><path d="M4 4l8 8M12 4l-8 8"/></svg></button>';
    const [choose, close] = tab.children;
    choose.id = `tab-${entry.key ?? 'only'}`;
    choose.setAttribute('aria-keyshortcuts', 'Delete F2');
    choose.onclick = () => this.#page.show(entry);
    choose.ondblclick = () => this.#rename(entry);
    choose.onkeydown = (event) => this.#key(event, entry);
    tab.onauxclick = ({ button }) => button === 1 && this.#page.close(entry);
    close.onclick = () => this.#page.close(entry);
    this.#row.append(tab);
    return tab;
  }

  #key({ key }, entry) {
    switch (key) {
      case 'ArrowLeft': this.#page.step(-1); break;
      case 'ArrowRight': this.#page.step(1); break;
      case 'Delete': this.#page.close(entry); break;
      case 'F2': return this.#rename(entry);
      default: return;
    }
    this.#page.active()?.tab.firstChild.focus();
  }

  draw(entry, { name, state, text, hasUnseen, news, progress }) {
    const { tab } = entry;
    const [choose] = tab.querySelectorAll('button');
    const shown = tab.querySelector('.name');
    if (shown.textContent !== name) shown.textContent = name;
    const isActive = entry === this.#page.active();
    tab.dataset.state = state;
    tab.classList.toggle('active', isActive);
    tab.classList.toggle('unseen', hasUnseen);
    choose.ariaSelected = String(isActive);
    choose.tabIndex = isActive ? 0 : -1;
    drawProgress(tab, progress);
    choose.ariaLabel = [name, text, news || (hasUnseen && 'has new output'), progressText(progress)]
      .filter(Boolean).join(', ');
    choose.title = news || `${name}\nDouble-click to rename`;
  }

  /** The list's button is there when not all tabs are seen. The active one is always seen, whole. */
  drawAll() {
    this.#all.hidden = this.#row.scrollWidth <= this.#row.clientWidth + 1;
    const active = this.#page.active();
    // Only where it may have moved: a row that was scrolled by hand stays where it is.
    const layout = [active?.tab.firstChild.id, active?.tab.offsetLeft, active?.tab.offsetWidth, this.#row.clientWidth].join();
    if (layout === this.#layout) return;
    this.#layout = layout;
    active?.tab.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  #fill() {
    const { show, nameOf, entries, active } = this.#page;
    this.#list.replaceChildren(...entries().map((entry) => {
      const item = document.createElement('button');
      item.className = 'item';
      item.role = 'menuitemradio';
      item.ariaChecked = String(entry === active());
      item.textContent = nameOf(entry);
      item.onclick = () => {
        this.#list.hidePopover();
        show(entry);
      };
      return item;
    }));
    requestAnimationFrame(() => this.#list.querySelector('[aria-checked=true]')?.focus());
  }

  #move(event) {
    const items = [...this.#list.children];
    const at = items.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    items[(next + items.length) % items.length]?.focus();
  }

  #rename(entry) {
    const [choose] = entry.tab.children;
    const input = document.createElement('input');
    input.value = choose.querySelector('.name').textContent;
    input.ariaLabel = 'Name of the terminal';
    choose.hidden = true;
    entry.tab.prepend(input);
    input.select();
    const done = (isKept) => {
      // To remove it takes the focus away, which would end it once more.
      input.onblur = null;
      const name = input.value.trim();
      input.remove();
      choose.hidden = false;
      this.#page.rename(entry, isKept ? name : undefined);
    };
    input.onblur = () => done(true);
    input.onkeydown = ({ key }) => {
      if (key === 'Enter') done(true);
      if (key === 'Escape') done(false);
    };
  }
}

/** A program's progress as a line below its tab's name. */
function drawProgress(tab, { state, percent }) {
  tab.dataset.progress = state;
  tab.style.setProperty('--progress', `${percent ?? 100}%`);
}

function progressText({ state, percent }) {
  if (state === 'none') return '';
  const word = { running: 'running', failed: 'failed', paused: 'paused' }[state] ?? 'busy';
  return percent === undefined ? word : `${word}, ${percent} percent`;
}
