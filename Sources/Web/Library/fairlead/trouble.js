// Why a page gets no connection, as what to do about it. Most of it is a mistake in how the library is embedded, and
// a browser says little of that to scripts. Pure.

/** How the reason of a server that asks who comes begins, and of one that does not take the token. */
const CODE = /^((?:token|ticket)_[a-z_]+)\b/;

/** @returns {string | undefined} why nobody is signed in, as a code, if that is the reason */
export function signInCode(reason) {
  return CODE.exec(reason ?? '')?.[1];
}

/** Whether a browser keeps a page of `base` from connecting to `url`: https pages use wss only, but on this machine. */
export function isMixed(url, base) {
  const { protocol, hostname } = new URL(url);
  const isNear = /^(localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
  return protocol === 'ws:' && /^https:/.test(base ?? '') && !isNear;
}

/**
 * @param {'origin' | 'token' | 'mixed' | 'policy' | 'styles' | 'silent' | 'proxy'} kind
 * @param {{ url: string, origin?: string, reason?: string }} about `url` of the WebSocket
 * @returns {string} a sentence or two
 */
export function explanation(kind, { url, origin, reason }) {
  const socket = new URL(url).origin;
  const server = socket.replace(/^ws/, 'http');
  switch (kind) {
    case 'origin':
      return `${server} takes no connections from pages of ${origin}: start it with --allow-origin ${origin}`;
    case 'token':
      return signInCode(reason) === 'token_missing'
        ? `${server} asks who comes: new Fairlead(url, { token }), with a token of its --token-key for the user`
        : `${server} does not take the token (${reason})`;
    case 'mixed':
      return `a page that came by https cannot connect to ${server}: give the server TLS, and its https URL here`;
    case 'policy':
      return `this page's Content-Security-Policy forbids the connection: it needs connect-src ${server} ${socket}`;
    case 'styles':
      return "this page's Content-Security-Policy forbids the styles of xterm.js: it needs style-src 'unsafe-inline', "
        + 'without a nonce or a hash';
    case 'proxy':
      return `${server} answers, but its WebSocket ${url} cannot be opened: does a proxy pass WebSockets on?`;
    default:
      return `nothing that is Fairlead answers at ${server}: is it running, and is this its URL? It is tried again`;
  }
}
