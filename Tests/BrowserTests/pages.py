"""A page of Fairlead in a browser, as a test looks at it."""

import asyncio
import itertools
import json

from processes import PATIENCE

# The console object of Sources/Web/Page/app.js.
TEXT = """() => {
  const { xterm } = fairlead.activePane;
  const { active } = xterm.buffer;
  const lines = [];
  for (let at = 0; at < active.length; at++) {
    const line = active.getLine(at);
    const text = line.translateToString(true);
    if (line.isWrapped) lines[lines.length - 1] += text; else lines.push(text);
  }
  return lines.join('\\n').trimEnd();
}"""

# Every cell of the screen, or of the whole buffer: its characters, width, colours and attributes; the cursor, and the
# modes.
CELLS = """(isWhole) => {
  const { xterm } = fairlead.activePane;
  const { active } = xterm.buffer;
  const rows = [];
  for (let y = isWhole ? 0 : active.baseY; y < active.baseY + xterm.rows; y++) {
    const line = active.getLine(y);
    const row = [];
    for (let x = 0; x < xterm.cols; x++) {
      const cell = line.getCell(x);
      row.push([cell.getChars() || ' ', cell.getWidth(), cell.getFgColorMode(),
        cell.getFgColor(), cell.getBgColorMode(), cell.getBgColor(), cell.isBold(),
        cell.isItalic(), cell.isUnderline(), cell.isInverse(), cell.isDim()].join());
    }
    rows.push(row);
  }
  return { rows, cursor: [active.cursorX, active.cursorY], type: active.type, modes: xterm.modes };
}"""


LIVE = "() => globalThis.fairlead?.activePane?.terminal.state.name === 'live'"


class Page:
    def __init__(self, page):
        self.page = page
        self.problems = []
        self.hosts = set()
        self.sockets = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._hear)
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        page.on("websocket", lambda socket: self.sockets.append(socket))

    def open_sockets(self, first=0):
        return [socket.url for socket in self.sockets[first:] if not socket.is_closed()]

    def _hear(self, message):
        # A refused connection is what these tests are about, and so is the library's question whether
        # it was refused for good (426 from a server that is back meanwhile, 503 from HAProxy if none is);
        # all else is a fault.
        if message.type == "error" and not any(
                expected in message.text for expected in ("ERR_", "WebSocket", "status of 426", "status of 503")):
            self.problems.append(message.text)

    async def open(self, url):
        await self.page.goto(url)
        await self.live()
        return self

    async def reload(self):
        await self.page.reload()
        await self.live()

    async def js(self, expression, argument=None):
        return await self.page.evaluate(expression, argument)

    async def until(self, expression, argument=None, limit=60):
        """Waits until an expression is true in the page."""
        await self.page.wait_for_function(
            expression, arg=argument, timeout=limit * PATIENCE * 1_000, polling=50)

    async def live(self, limit=60):
        await self.until(LIVE, limit=limit)

    async def type(self, text):
        await self.js("() => fairlead.activePane.focus()")
        await self.page.keyboard.type(text)

    async def run(self, command):
        await self.type(command)
        await self.page.keyboard.press("Enter")

    async def text(self):
        return await self.js(TEXT)

    async def shows(self, text, limit=60):
        await self.until(f"(wanted) => ({TEXT})().includes(wanted)", text, limit)

    async def prompt(self):
        await self.until(f"() => /[$#]$/.test(({TEXT})())")

    async def says(self, text, limit=60):
        """The page itself, around the terminals."""
        await self.until(
            "(wanted) => document.body?.innerText.includes(wanted)", text, limit)

    async def place(self, selector):
        """The middle of an element, where a person would click."""
        box = await (await self.page.wait_for_selector(selector, state="visible")).bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    async def click_by_place(self, selector):
        """Clicks where it is, and fails if something else is there."""
        await self.page.wait_for_selector(selector, state="visible")
        await self.until("""(selector) => {
          const box = document.querySelector(selector).getBoundingClientRect();
          const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
          return Boolean(top?.closest(selector));
        }""", selector, 5)
        await self.page.mouse.click(*await self.place(selector))

    async def cells(self, whole=False):
        return await self.js(CELLS, whole)

    async def is_still(self, whole=False):
        """Waits until the screen did not change for half a second; with all that has scrolled out of it."""
        before = None
        while before != (before := await self.cells(whole)):
            await asyncio.sleep(0.5)
        return before

    async def record(self):
        """Keeps, from now on, the text of every byte that the library hands out."""
        await self.js("""() => {
          const decoder = new TextDecoder();
          globalThis.seen = { text: '', snapshots: 0, resumed: [], story: [] };
          const { terminal } = fairlead.activePane;
          const tell = (what) => seen.story.push(
            `${Math.round(performance.now())} ms, at ${seen.text.length}: ${what}`);
          terminal.on('opened', ({ resumed }) => {
            seen.resumed.push(resumed);
            tell(`opened, ${resumed}`);
          });
          terminal.on('state', ({ name }) => tell(name));
          const write = terminal.write.bind(terminal);
          terminal.write = (data) => { tell(`typed ${JSON.stringify(data)}`); return write(data); };
          terminal.on('output', ({ bytes }) => {
            seen.text += decoder.decode(bytes, { stream: true });
          });
          terminal.on('snapshot', ({ first, offset }) => {
            if (first) seen.snapshots += 1;
            tell(`snapshot of ${offset}`);
          });
        }""")


class HiddenTab:
    """A tab that Chromium itself hides behind another one, with all that it does to such tabs; after five
    seconds as others after five minutes. Playwright keeps every page of its own in view, so it is not
    Playwright's."""

    LAUNCH = {
        "args": ["--no-sandbox",
                 "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/5"],
        "ignore_default_args": ["--disable-background-timer-throttling",
                                "--disable-backgrounding-occluded-windows",
                                "--disable-renderer-backgrounding"]}

    def __init__(self, browser):
        self.browser = browser
        self.numbers, self.answers = itertools.count(1), {}

    async def open(self, url):
        self.devtools = await self.browser.new_browser_cdp_session()
        self.devtools.on("Target.receivedMessageFromTarget", self._hear)
        window = await self.devtools.send("Target.createBrowserContext")
        self.window = {"browserContextId": window["browserContextId"]}
        self.tab = await self._new_tab(url)
        self.session = await self.devtools.send("Target.attachToTarget", self.tab)
        await self.until(f"({LIVE})()")
        return self

    async def allow(self, permission):
        await self.devtools.send("Browser.grantPermissions", {"permissions": [permission], **self.window})

    async def hide(self):
        await self.devtools.send("Target.activateTarget", await self._new_tab("about:blank"))
        await self.until("document.visibilityState === 'hidden'")

    async def show(self):
        await self.devtools.send("Target.activateTarget", self.tab)
        await self.until("document.visibilityState === 'visible'")

    async def _new_tab(self, url):
        tab = await self.devtools.send("Target.createTarget", {"url": url, **self.window})
        return {"targetId": tab["targetId"]}

    def _hear(self, event):
        message = json.loads(event["message"])
        if answer := self.answers.pop(message.get("id"), None):
            answer.set_result(message)

    async def js(self, expression):
        number = next(self.numbers)
        answer = self.answers[number] = asyncio.get_running_loop().create_future()
        call = {"id": number, "method": "Runtime.evaluate",
                "params": {"expression": expression, "returnByValue": True}}
        await self.devtools.send(
            "Target.sendMessageToTarget", {**self.session, "message": json.dumps(call)})
        result = (await asyncio.wait_for(answer, 60 * PATIENCE))["result"]
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def type(self, text):
        await self.js(f"fairlead.activePane.terminal.write({json.dumps(text)})")

    async def until(self, expression, limit=120):
        async with asyncio.timeout(limit * PATIENCE):
            while not await self.js(expression):
                await asyncio.sleep(0.2)

    async def shows(self, text, limit=120):
        await self.until(f"({TEXT})().includes({json.dumps(text)})", limit)
