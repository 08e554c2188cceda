// Strips below a terminal, and the toast: things to know, none of which stands in the way.

import { clipboard } from '../fairlead/environment.js';

/**
 * @param {HTMLElement} pane
 * @param {{ kind?: string, text: string, code?: string,
 *   actions: [label: string, run: () => void][] }} notice
 * @returns {HTMLElement}
 */
export function addNotice(pane, { kind = '', text, code, actions }) {
  const notice = document.createElement('div');
  notice.className = `notice ${kind}`;
  notice.role = 'alert';
  const line = document.createElement('p');
  line.textContent = text;
  if (code) {
    const shown = document.createElement('code');
    shown.textContent = code;
    line.append(' ', shown);
  }
  notice.append(line);
  for (const [label, run] of actions) {
    const button = document.createElement('button');
    button.textContent = label;
    button.onclick = () => {
      notice.remove();
      run();
    };
    notice.append(button);
  }
  pane.append(notice);
  return notice;
}

/**
 * Says something above everything else on the page. It stays while the pointer or the focus is on it.
 * @param {string} text
 * @param {{ action?: [label: string, run: () => void], hint?: string, milliseconds?: number,
 *   gone?: () => void }} [options] `gone` is called when it leaves and nobody chose the action
 * @returns {() => void} chooses the action, if it still can be chosen
 */
export function toast(text, { action, hint, milliseconds = 3_000, gone } = {}) {
  const layer = document.getElementById('toasts');
  const element = document.createElement('div');
  element.className = 'toast';
  element.append(text);
  let leaving;
  let isOver = false;
  const leave = () => {
    if (isOver) return false;
    isOver = true;
    clearTimeout(leaving);
    element.remove();
    if (layer.childElementCount === 0) layer.hidePopover?.();
    return true;
  };
  const choose = () => leave() && action?.[1]();
  const wait = () => {
    clearTimeout(leaving);
    leaving = setTimeout(() => leave() && gone?.(), milliseconds);
  };
  if (action) {
    const button = document.createElement('button');
    button.textContent = action[0];
    if (hint) button.title = hint;
    button.onclick = choose;
    element.append(button);
  }
  for (const come of ['pointerenter', 'focusin']) {
    element.addEventListener(come, () => clearTimeout(leaving));
  }
  for (const go of ['pointerleave', 'focusout']) element.addEventListener(go, wait);
  layer.append(element);
  // The browser's top layer: what is shown in it last is above all else, whatever draws a canvas.
  if (layer.matches(':popover-open')) layer.hidePopover();
  layer.showPopover?.();
  // Of more than there is room for, the last ones are in sight.
  layer.scrollTop = layer.scrollHeight;
  wait();
  return choose;
}

export async function copy(text) {
  const isCopied = await clipboard.write(text);
  toast(isCopied ? 'Copied' : 'The browser does not let this page copy');
}
