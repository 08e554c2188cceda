// A finger on a terminal, which xterm.js 6.0 does not understand: it drags what scrolled away, with
// momentum; held still, it selects. Scrolling goes through xterm.js as a wheel's would, so that programs
// that follow the mouse and those on the alternate screen get from a finger what they get from a wheel.

/** Held still for so long, a finger selects, in milliseconds: as long as phones wait. */
const HOLD = 500;
/** A finger that moved less than this has not moved, in pixels. */
const SLOP = 8;
/** What of its speed a scroll keeps in each millisecond, and the speed at which it stops, in pixels per ms. */
const FRICTION = 0.996;
const SLOWEST = 0.02;
/** A finger that rested so long before it left throws nothing, in milliseconds. */
const REST = 60;

export class Touch {
  #element;
  #xterm;
  #finger;
  #holding;
  #throwing;

  /** @param {HTMLElement} element around the terminal @param xterm the terminal of xterm.js in it */
  constructor(element, xterm) {
    this.#element = element;
    this.#xterm = xterm;
    const listen = (name, handler) => element.addEventListener(name, handler, { passive: false, capture: true });
    listen('touchstart', (event) => this.#begin(event));
    listen('touchmove', (event) => this.#move(event));
    for (const name of ['touchend', 'touchcancel']) listen(name, (event) => this.#end(event));
    // The browser's own menu of a long press would take the selection away.
    listen('contextmenu', (event) => this.#finger && event.preventDefault());
  }

  #begin(event) {
    this.#stop();
    // Two fingers are the browser's, to zoom.
    if (event.touches.length !== 1) return;
    const [{ clientX: x, clientY: y }] = event.touches;
    this.#finger = { x, y, lastX: x, last: y, time: event.timeStamp, speed: 0, does: 'nothing' };
    this.#holding = setTimeout(() => this.#select(), HOLD);
  }

  #stop() {
    clearTimeout(this.#holding);
    cancelAnimationFrame(this.#throwing);
    this.#finger = undefined;
  }

  #move(event) {
    const finger = this.#finger;
    if (!finger) return;
    const [{ clientX: x, clientY: y }] = event.touches;
    if (finger.does === 'select') {
      event.preventDefault();
      return this.#extend(x, y);
    }
    if (finger.does === 'nothing') {
      if (Math.hypot(x - finger.x, y - finger.y) < SLOP) return;
      clearTimeout(this.#holding);
      finger.does = 'scroll';
    }
    event.preventDefault();
    const by = finger.last - y;
    const across = finger.lastX - x;
    finger.lastX = x;
    const took = Math.max(event.timeStamp - finger.time, 1);
    finger.speed = 0.6 * (by / took) + 0.4 * finger.speed;
    finger.last = y;
    finger.time = event.timeStamp;
    // Somebody else's terminal may be larger than this one's place: first its rest comes into sight.
    const { scrollTop } = this.#element;
    this.#element.scrollBy(across, by);
    if (this.#element.scrollTop === scrollTop) this.#scroll(by, finger);
  }

  #end(event) {
    const finger = this.#finger;
    this.#stop();
    if (!finger || finger.does === 'nothing') return;
    // A tap follows each touch that is not taken, and would take the selection away.
    event.preventDefault();
    if (finger.does === 'scroll' && event.timeStamp - finger.time < REST) this.#throw(finger);
  }

  #throw(finger) {
    let before = performance.now();
    const step = (now) => {
      const took = Math.max(now - before, 0);
      before = now;
      finger.speed *= FRICTION ** took;
      this.#scroll(finger.speed * took, finger);
      if (Math.abs(finger.speed) > SLOWEST) this.#throwing = requestAnimationFrame(step);
    };
    this.#throwing = requestAnimationFrame(step);
  }

  /** By so many pixels, of which less than a line waits for more. */
  #scroll(by, finger) {
    const height = this.#cell().height;
    finger.rest = (finger.rest ?? 0) + by;
    const lines = Math.trunc(finger.rest / height);
    if (lines === 0) return;
    finger.rest -= lines * height;
    const { buffer, modes } = this.#xterm;
    if (buffer.active.type === 'normal' && modes.mouseTrackingMode === 'none') {
      return this.#xterm.scrollLines(lines);
    }
    for (let line = 0; line < Math.min(Math.abs(lines), this.#xterm.rows); line++) {
      this.#target().dispatchEvent(new WheelEvent('wheel', {
        deltaY: Math.sign(lines), deltaMode: WheelEvent.DOM_DELTA_LINE, clientX: finger.x,
        clientY: finger.y, bubbles: true, cancelable: true,
      }));
    }
  }

  // MARK: Selecting

  #select() {
    const finger = this.#finger;
    if (!finger) return;
    finger.does = 'select';
    const { column, row } = this.#at(finger.x, finger.y);
    const line = this.#xterm.buffer.active.getLine(row);
    const isWord = (at) => /\S/.test(line?.getCell(at)?.getChars() ?? '') || line?.getCell(at)?.getWidth() === 0;
    let [start, end] = [column, column + 1];
    if (isWord(column)) {
      while (start > 0 && isWord(start - 1)) start -= 1;
      while (end < this.#xterm.cols && isWord(end)) end += 1;
    }
    finger.word = { start: row * this.#xterm.cols + start, end: row * this.#xterm.cols + end };
    this.#show(finger.word.start, finger.word.end);
    navigator.vibrate?.(10);
  }

  /** From the word that was held, to the finger. */
  #extend(x, y) {
    const { word } = this.#finger;
    const { column, row } = this.#at(x, y);
    const here = row * this.#xterm.cols + column;
    this.#show(Math.min(word.start, here), Math.max(word.end, here + 1));
  }

  #show(start, end) {
    const { cols } = this.#xterm;
    this.#xterm.select(start % cols, Math.floor(start / cols), end - start);
  }

  #target() {
    return this.#element.querySelector('.xterm-screen') ?? this.#element;
  }

  #cell() {
    const { width, height } = this.#target().getBoundingClientRect();
    return { width: width / this.#xterm.cols || 1, height: height / this.#xterm.rows || 1 };
  }

  /** The cell below a point, in the whole buffer. */
  #at(x, y) {
    const { left, top } = this.#target().getBoundingClientRect();
    const { width, height } = this.#cell();
    const within = (value, count) => Math.min(Math.max(Math.floor(value), 0), count - 1);
    return {
      column: within((x - left) / width, this.#xterm.cols),
      row: this.#xterm.buffer.active.viewportY + within((y - top) / height, this.#xterm.rows),
    };
  }
}
