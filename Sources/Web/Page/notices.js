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

let hiding;

/** @param {string} text @param {[string, () => void]} [action] @param {number} [milliseconds] */
export function toast(text, action, milliseconds = 3_000) {
  const element = document.getElementById('toast');
  clearTimeout(hiding);
  element.replaceChildren(text);
  if (action) {
    const button = document.createElement('button');
    button.textContent = action[0];
    button.onclick = () => {
      element.classList.remove('shown');
      action[1]();
    };
    element.append(button);
  }
  element.classList.add('shown');
  hiding = setTimeout(() => element.classList.remove('shown'), milliseconds);
}

export async function copy(text) {
  const isCopied = await clipboard.write(text);
  toast(isCopied ? 'Copied' : 'The browser does not let this page copy');
}
