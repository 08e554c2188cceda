"""The page around the terminals: what lies above what, tabs, sizes, fingers, colours, accessibility (run.py)."""

import asyncio
import base64

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import TimeoutError as PageTimeout

from tests import PHONE
from typed import RECORD, prompted


async def open_tabs(page, count):
    for number in range(2, count + 1):
        await page.page.click("#new")
        await page.until(f"() => fairlead.panes.length === {number}")
        await page.live()


async def test_what_is_said_lies_above_the_terminals(test):
    """Two closed terminals are two Undo, each to be clicked where it is, and by a key."""
    page = await (await test.page()).open(test.backend.url)
    await open_tabs(page, 3)
    for _ in range(2):
        await page.page.hover(".tab.active")
        await page.page.click(".tab.active .close")
    await page.until("() => document.querySelectorAll('.toast').length === 2")
    # While the pointer is on one it does not go.
    await page.page.mouse.move(*await page.place(".toast button"))
    await page.click_by_place(".toast button")
    await page.until("() => document.querySelectorAll('.toast').length === 1")
    await page.page.keyboard.press("Alt+Shift+Z")
    await page.until("() => document.querySelectorAll('.toast').length === 0")
    await page.until("() => fairlead.panes.length === 3 && "
                     "[...document.querySelectorAll('.tab')].every((tab) => !tab.hidden)")
    # The menu, too, is above the canvas.
    await page.page.click("#more")
    await page.click_by_place("#larger")
    await page.until("() => document.querySelector('#font-size').textContent === '15'")


async def test_of_many_things_said_each_can_be_reached(test):
    """More terminals closed at a time than there is room for: each one's Undo can still be clicked."""
    page = await (await test.page(reduced_motion="reduce")).open(test.backend.url)
    await page.js("""async () => {
      const { toast } = await import('/assets/page/notices.js');
      globalThis.undone = [];
      for (let at = 0; at < 30; at++) {
        toast(`Terminal ${at} closed`, { action: ['Undo', () => undone.push(at)], milliseconds: 600_000 });
      }
    }""")
    await page.click_by_place(".toast:last-child button")
    await page.until("() => undone.length === 1")
    await page.page.mouse.move(*await page.place(".toast:last-child"))
    await page.page.mouse.wheel(0, -5_000)
    await page.until("() => document.querySelector('#toasts').scrollTop === 0")
    await page.click_by_place(".toast:first-child button")
    await page.until("() => undone.join() === '29,0'")
    await test.shot(page)
    await check_accessibility(page, "much said")


async def test_an_outage_is_never_called_live(test):
    """Each try to connect again changes the state; the time of grace counts from the loss."""
    line = await test.line()
    page = await (await test.page()).open(line.url)
    await page.prompt()
    await page.js("""() => {
      globalThis.said = [];
      globalThis.watching = setInterval(() => said.push(
        [performance.now(), document.querySelector('#badge-text').textContent]), 20);
      // What a screen reader speaks, which is not what counts on.
      globalThis.spoken = [];
      const status = document.querySelector('#status [role=status]');
      new MutationObserver(() => spoken.push(status.textContent))
        .observe(status, { childList: true, characterData: true, subtree: true });
    }""")
    began = await page.js("() => performance.now()")
    line.cut()
    await page.until("(began) => performance.now() - began > 8000", began)
    said = await page.js("() => { clearInterval(watching); return said; }")
    assert await page.js("spoken") == ["Reconnecting"], await page.js("spoken")
    await check_accessibility(page, "reconnecting")
    await line.restore()
    late = {text for time, text in said if time - began > 2_500}
    assert "Live" not in late and any("Reconnecting" in text for text in late), late
    await page.live()


async def test_colours_can_be_read(test):
    """WCAG 1.4.3: all pairs of the sixteen colours, in both themes."""
    for scheme in ("dark", "light"):
        page = await (await test.page(color_scheme=scheme)).open(test.backend.url)
        await page.prompt()
        # The renderer that works with elements can be asked what it drew.
        await page.js("() => { fairlead.activePane.isActive = false; fairlead.activePane.element.classList.add('active'); }")
        worst = await page.js("""async () => {
          const { xterm } = fairlead.activePane;
          const code = (base, bright, n) => n < 8 ? base + n : bright + n - 8;
          let text = '\\x1b[2J\\x1b[H';
          for (let back = 0; back < 16; back++) {
            for (let front = 0; front < 16; front++) {
              text += `\\x1b[${code(30, 90, front)};${code(40, 100, back)}mX\\x1b[m `;
            }
            text += '\\r\\n';
          }
          await new Promise((done) => xterm.write(text, done));
          const spans = () => [...document.querySelectorAll('.pane.active .xterm-rows span')]
            .filter((span) => /^X+$/.test(span.textContent));
          const cells = () => spans().reduce((sum, span) => sum + span.textContent.length, 0);
          while (cells() < 256) await new Promise(requestAnimationFrame);
          const channels = (color) => color.match(/[\\d.]+/g).slice(0, 3).map((part) => {
            const value = part / 255;
            return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
          });
          const light = (color) => {
            const [red, green, blue] = channels(color);
            return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
          };
          return spans().map((span) => {
            const { color, backgroundColor } = getComputedStyle(span);
            const [low, high] = [light(color), light(backgroundColor)].sort((a, b) => a - b);
            return [(high + 0.05) / (low + 0.05), span.className, color, backgroundColor];
          }).sort((a, b) => a[0] - b[0])[0];
        }""")
        assert worst[0] >= 4.45, f"{scheme}: {worst}"


# What is drawn in each of the first cells of the screen's first row, from a picture of the page: the commonest colour and
# the one that differs most from it, as a text's ground and its ink.
DRAWN = """async ([picture, cells]) => {
  const bytes = Uint8Array.from(atob(picture), (character) => character.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
  const context = new OffscreenCanvas(image.width, image.height).getContext('2d');
  context.drawImage(image, 0, 0);
  const { xterm } = fairlead.activePane;
  const box = document.querySelector('.pane.active .xterm-screen').getBoundingClientRect();
  const [width, height] = [box.width / xterm.cols, box.height / xterm.rows];
  return Array.from({ length: cells }, (_, cell) => {
    const { data } = context.getImageData(
      Math.ceil(box.x + cell * width), Math.ceil(box.y), Math.floor(width) - 1, Math.floor(height) - 1);
    const counts = new Map();
    for (let at = 0; at < data.length; at += 4) {
      const color = data.slice(at, at + 3).join();
      counts.set(color, (counts.get(color) ?? 0) + 1);
    }
    const parts = (color) => color.split(',').map(Number);
    const [ground] = [...counts].sort((a, b) => b[1] - a[1])[0];
    const far = (color) => parts(color).reduce((sum, part, at) => sum + Math.abs(part - parts(ground)[at]), 0);
    return [ground, [...counts.keys()].sort((a, b) => far(b) - far(a))[0]].map(parts);
  });
}"""


def contrast(colors):
    def light(color):
        values = [part / 255 for part in color]
        return sum(weight * (value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4)
                   for weight, value in zip((0.2126, 0.7152, 0.0722), values))

    low, high = sorted(map(light, colors))
    return (high + 0.05) / (low + 0.05)


async def test_colours_that_a_program_sets_can_be_read(test):
    """OSC 4, 10, 11 and back, drawn by WebGL: as on a page that knew no other colours before."""
    page = await test.page()
    # Strokes of some pixels, which have the colour of the text itself.
    await page.page.add_init_script("""localStorage.setItem('fairlead.settings', '{"fontSize":32}')""")
    await page.open(test.backend.url)
    await page.prompt()
    # A text in grey, dim, dim grey, and as it is, and grey where its own ground is red.
    text = r"\e[90mM\e[m \e[2mM \e[90mM\e[m M \e[90;41mM\e[m"
    changes = [r"\e]11;#74808c\a", r"\e]111\a\e]4;8;#11161b\a\e]10;#11161b\a", r"\e]104\a\e]110\a"]
    await page.run(f"printf '\\ec{text}\\nst''ep\\n'; " + "; ".join(
        f"read -rs; printf '{change}\\ec{text}\\nst''ep {number}\\n'" for number, change in enumerate(changes))
        + "; read -rs")

    async def drawn():
        before = None
        while before != (before := await seen()):
            await asyncio.sleep(0.3)
        return before

    async def seen():
        picture = base64.b64encode(await page.page.screenshot()).decode()
        cells = await page.js(DRAWN, [picture, 9])
        return [cells[at] for at in (0, 2, 4, 6, 8)]

    await page.shows("\nstep")
    first = await drawn()
    assert contrast(first[0]) >= 4.4, first
    for number in range(len(changes)):
        await page.page.keyboard.press("Enter")
        await page.shows(f"\nstep {number}")
        now = await drawn()
        await test.shot(page)
        assert contrast(now[0]) >= 4.4 and contrast(now[3]) >= 4.4, (number, now)
        await page.reload()
        await page.shows(f"\nstep {number}")
        assert now == await drawn(), (number, now)
        if number == 0:
            # Another theme takes none of it back.
            await page.page.emulate_media(color_scheme="light")
            await page.until("() => fairlead.activePane.xterm.options.theme.background === '#fdfcf9'")
            light = await drawn()
            assert light[0][0] == now[0][0] and contrast(light[0]) >= 4.4 and contrast(light[3]) >= 4.4, light
            await page.page.emulate_media(color_scheme="dark")
            await page.until("() => fairlead.activePane.xterm.options.theme.background === '#11161b'")
            assert now == await drawn(), (number, now)
    assert now == first


async def test_a_terminal_in_the_background_keeps_its_size(test):
    """Neither a change of theme nor a reload makes the program of a hidden tab draw itself anew."""
    page = await (await test.page()).open(test.backend.url)
    await page.run("trap 'echo re''sized' WINCH; stty size; echo fi''rst")
    await page.shows("\nfirst")
    await open_tabs(page, 2)
    size = "() => { const { size } = fairlead.panes[0].terminal; return `${size.cols}x${size.rows}`; }"
    before = await page.js(size)
    await page.page.click("#more")
    await page.page.select_option("#theme", "light")
    await page.page.keyboard.press("Escape")
    await page.reload()
    await page.until("() => fairlead.panes.length === 2 && "
                     "fairlead.panes.every(({ terminal }) => terminal.state.name === 'live')")
    await page.run("echo se''cond")
    await page.shows("\nsecond")
    assert await page.js(size) == before
    await page.page.click(".tab:nth-child(1) [role=tab]")
    await page.prompt()
    await page.run("echo th''ird")
    await page.shows("\nthird")
    assert await page.js(size) == before
    assert "resized" not in await page.text()


async def test_dragging_a_window_is_not_a_signal_for_each_step(test):
    page = await (await test.page()).open(test.backend.url)
    await page.prompt()
    await page.js("""() => {
      globalThis.sizes = 0;
      const { terminal } = fairlead.activePane;
      const resize = terminal.resize.bind(terminal);
      terminal.resize = (cols, rows) => { sizes += 1; return resize(cols, rows); };
    }""")
    await page.js("""async () => {
      const panes = document.querySelector('#panes');
      for (let step = 0; step < 60; step++) {
        panes.style.maxWidth = `${900 - step * 8}px`;
        await new Promise(requestAnimationFrame);
      }
      panes.style.maxWidth = '';
    }""")
    began, sizes = await page.js("() => [performance.now(), sizes]")
    await page.until("(began) => performance.now() - began > 400", began)
    # 60 steps of a frame each are a second; a slow machine takes longer, and may say as many more.
    assert 1 <= sizes < 40, sizes
    await page.until("() => fairlead.activePane.terminal.size.cols > 100")


async def test_a_smaller_session_shows_its_edge(test):
    session = await test.backend.create()
    small = await test.page(viewport={"width": 500, "height": 300})
    await small.open(f"{test.backend.url}/t/{session}")
    await small.run("echo sm''all")
    await small.shows("small")
    large = await (await test.page()).open(f"{test.backend.url}/t/{session}?watch")
    await large.until("() => fairlead.activePane.element.classList.contains('smaller')")
    await test.shot(large)


async def test_what_was_not_opened_is_no_terminal(test):
    """P10: it says why, in a sentence; neither a size nor an edge is shown for what is not there."""
    badge = "() => document.querySelector('#badge-text').textContent === 'Not opened'"
    no_terminal = "() => document.querySelector('#size').textContent === '' && !document.querySelector('.pane.smaller')"
    page = await test.page()
    await page.page.goto(f"{test.backend.url}/t/nobody")
    await page.says("There is no such session.")
    await page.until(badge)
    await page.is_still()
    assert await page.js(no_terminal)
    await test.shot(page)
    # Where no node has an engine, which is what these nodes were started for.
    page = await (await test.page()).open(test.backend.url)
    assert await page.js("() => document.querySelector('#size').textContent") != ""
    await page.page.click("#more")
    await page.page.fill("#container", "web")
    await page.page.keyboard.press("Enter")
    await page.says("No node can start docker:web: none has a Docker engine that answers")
    await page.until(badge)
    assert await page.js(no_terminal)
    await check_accessibility(page, "not opened")
    await test.shot(page, "not-opened")
    await page.click_by_place(".pane.active .notice button")
    await page.live()
    await page.run("echo af''ter")
    await page.shows("\nafter")


async def test_many_tabs_and_none(test):
    page = await (await test.page()).open(test.backend.url)
    await open_tabs(page, 15)
    names = "() => [...document.querySelectorAll('.tab .name')].map((name) => name.textContent)"
    # Programs name their windows; without that, a number that stays.
    await page.js("() => { for (const { terminal } of fairlead.panes) terminal.title = ''; }")
    await page.until("() => document.querySelector('.tab:last-child .name').textContent === 'Terminal 15'")
    inside = """(selector) => {
      const box = document.querySelector(selector).getBoundingClientRect();
      const row = document.querySelector('#tabs').getBoundingClientRect();
      return box.left >= row.left - 1 && box.right <= row.right + 1 && row.right < innerWidth;
    }"""
    await page.until(inside, ".tab.active .close")
    await page.page.hover(".tab.active")
    await page.page.click("#all")
    await page.click_by_place("#list .item:nth-child(2)")
    await page.until("() => fairlead.panes[1].isActive")
    await page.until(inside, ".tab.active .close")
    await page.page.click("#all")
    await page.click_by_place("#list .item:nth-child(1)")
    await page.until("() => fairlead.panes[0].isActive")
    # Closing the first one renames none.
    before = await page.js(names)
    await page.page.hover(".tab.active")
    await page.page.click(".tab.active .close")
    await page.until("() => document.querySelectorAll('.tab:not([hidden])').length === 14")
    assert (await page.js(names))[1:] == before[1:]
    assert (await page.js("() => document.querySelector('.tab.active [role=tab]').title")).startswith(
        await page.js("() => document.querySelector('.tab.active .name').textContent"))
    # Nor does a reload, once it is gone for good.
    await page.until("() => fairlead.panes.length === 14")
    await page.reload()
    await page.until("() => fairlead.panes.length === 14 && "
                     "fairlead.panes.every(({ terminal }) => terminal.state.name === 'live')")
    await page.js("() => { for (const { terminal } of fairlead.panes) terminal.title = ''; }")
    await page.until(f"(wanted) => `${{({names})()}}` === `${{wanted}}`", before[1:])
    for left in range(13, -1, -1):
        await page.page.keyboard.press("Alt+Shift+W")
        await page.until(f"() => document.querySelectorAll('.tab:not([hidden])').length === {left}")
    await page.says("No terminal is open here.")
    assert await page.page.title() == "Fairlead"
    await test.shot(page)
    await page.click_by_place("#first")
    await page.live()


async def touches(page, points):
    """A finger: pressed at the first point, through the others, and away. Points are (x, y, milliseconds before)."""
    devtools = await page.page.context.new_cdp_session(page.page)
    kind = "touchStart"
    for x, y, milliseconds in points:
        await asyncio.sleep(milliseconds / 1_000)
        await devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        kind = "touchMove"
    await devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


async def touches_until(page, points, condition):
    """A page that is busy may take a finger that it was slow to follow for one that stays: it is moved again."""
    for _ in range(5):
        await touches(page, points)
        try:
            return await page.until(condition, limit=5)
        except PageTimeout:
            pass
    await page.until(condition)


async def test_a_finger_scrolls_and_selects(test):
    context = await test.context(**PHONE, permissions=["clipboard-read", "clipboard-write"])
    page = await (await test.page(context)).open(test.backend.url)
    await page.prompt()
    await page.run("seq 1 300; echo a ''selected-word here")
    await page.shows("\na selected-word here")
    top = "() => { const { active } = fairlead.activePane.xterm.buffer; return active.baseY - active.viewportY; }"
    assert await page.js(top) == 0
    box = await page.js("() => { const { x, y, width, height } = "
                        "document.querySelector('.pane.active .screen').getBoundingClientRect(); "
                        "return { x, y, width, height }; }")
    x, y = box["x"] + box["width"] / 2, box["y"] + 40
    await touches(page, [(x, y + step * 20, 16) for step in range(12)])
    await page.until("() => { const { active } = fairlead.activePane.xterm.buffer; "
                     "return active.baseY - active.viewportY >= 8; }")
    # Where it is when momentum has died.
    still = None
    while still != (still := await page.js(top)):
        await asyncio.sleep(0.3)
    await touches(page, [(x, y + 220 - step * 20, 16) for step in range(12)] * 3)
    await page.page.tap("#keys button[aria-label='Page up']")
    await page.until("() => { const { active } = fairlead.activePane.xterm.buffer; "
                     "return active.baseY - active.viewportY > 0; }")
    await page.js("() => fairlead.activePane.xterm.scrollToBottom()")
    # Held still on a word, it selects that, and Copy takes it.
    where = await page.js("""() => {
      const { xterm } = fairlead.activePane;
      const { active } = xterm.buffer;
      for (let row = 0; row < xterm.rows; row++) {
        const text = active.getLine(active.viewportY + row).translateToString(true);
        if (!text.startsWith('a selected-word')) continue;
        const box = document.querySelector('.pane.active .xterm-screen').getBoundingClientRect();
        return [box.x + 5.5 * box.width / xterm.cols, box.y + (row + 0.5) * box.height / xterm.rows];
      }
    }""")
    await touches(page, [(*where, 0), (*where, 900)])
    await page.until("() => fairlead.activePane.xterm.getSelection() === 'selected-word'")
    await page.page.tap("#keys button[aria-label='Copy']")
    await page.says("Copied")
    assert await page.js("() => navigator.clipboard.readText()") == "selected-word"
    await test.shot(page)


async def test_a_finger_is_a_wheel_to_a_program_that_has_the_screen(test):
    """On the alternate screen as arrow keys, and to one that follows the mouse as what that sends."""
    page = await prompted(test, **PHONE)
    await page.run(r"printf '\e[?1049h\e[H'; echo al''ternate; read; printf '\e[?1000h\e[?1006h'; echo mo''use; read")
    await page.shows("alternate")
    await page.js(RECORD)
    x, y = await page.place(".pane.active .screen")
    down = [(x, y - 120 + step * 20, 16) for step in range(12)]
    await touches_until(page, down, "() => typed.includes('\x1b[A')")
    await touches_until(page, down[::-1], "() => typed.includes('\x1b[B')")
    await page.page.keyboard.press("Enter")
    await page.shows("mouse")
    await page.until("() => fairlead.activePane.xterm.modes.mouseTrackingMode === 'vt200'")
    await touches_until(page, down, "() => typed.some((it) => it.startsWith('\x1b[<64;'))")
    assert await page.js("() => fairlead.activePane.xterm.getSelection()") == ""


async def check_accessibility(page, what):
    rules = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
             "resultTypes": ["violations"]}
    results = await Axe().run(page.page, options=rules)
    findings = [(item["id"], [node["html"][:150] for node in item["nodes"]])
                for item in results.response["violations"]]
    assert not findings, f"{what}: {findings}"


async def test_accessibility(test):
    """No finding of axe's rules for WCAG 2.2 AA: the page as it is, with its menu, with something said, on a phone."""
    check = check_accessibility
    for scheme in ("light", "dark"):
        page = await (await test.page(color_scheme=scheme)).open(test.backend.url)
        await page.prompt()
        await open_tabs(page, 2)
        await check(page, scheme)
        await page.page.click("#more")
        await check(page, f"{scheme}, settings")
        # From the last control of the settings on, nothing goes to the shell while they are open.
        await page.js("() => [...document.querySelectorAll('#menu input, #menu button')].at(-1).focus()")
        await page.page.keyboard.press("Tab")
        await page.until("() => !document.querySelector('#menu').matches(':popover-open')")
        await page.page.hover(".tab.active")
        await page.page.click(".tab.active .close")
        await page.page.wait_for_selector(".toast button")
        await check(page, f"{scheme}, a toast")
    phone = await (await test.page(**PHONE)).open(test.backend.url)
    await phone.prompt()
    await check(phone, "phone")


async def test_states_differ_without_colours(test):
    """Where the system draws all in two colours of its own, a state is a form."""
    page = await (await test.page(forced_colors="active", reduced_motion="reduce")).open(test.backend.url)
    looks = await page.js("""() => ['live', 'waiting', 'over', 'bad'].map((state) => {
      document.querySelector('#badge').dataset.state = state;
      const look = getComputedStyle(document.querySelector('#badge .dot'));
      const isFilled = look.backgroundColor === look.borderTopColor;
      return [look.borderTopColor, look.borderTopWidth, look.borderTopStyle, look.borderRadius, isFilled];
    })""")
    ground = await page.js("() => getComputedStyle(document.querySelector('#status')).backgroundColor")
    assert len({str(look[1:]) for look in looks}) == 4, looks
    assert all(look[0] != ground and look[1] != "0px" and look[2] != "none" for look in looks), (looks, ground)
    await test.shot(page)
