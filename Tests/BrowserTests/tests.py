"""What a user of the page is promised, each promise in a browser (run.py)."""

import asyncio
import json
import pathlib
import re

from pages import HiddenTab
from processes import CHROMIUM, Backend

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
PHONE = {"viewport": {"width": 390, "height": 740}, "device_scale_factor": 2, "is_mobile": True,
         "has_touch": True}


class OtherSite:
    """Somebody else's web site, with the example of docs/examples on it."""

    async def start(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def _serve(self, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        page = (DOCS / "examples" / "embed.html").read_text()
        body = page.replace("http://127.0.0.1:7070", self.cluster).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
                     b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    async def stop(self):
        self.server.close()


async def test_type_and_see(test):
    page = await (await test.page()).open(test.backend.url)
    await page.run("echo $((6*7)) 日本語 🚀 ünï")
    await page.shows("\n42 日本語 🚀 ünï")
    await page.says("Live")
    await page.until("() => document.querySelector('#latency').textContent.endsWith(' ms')")
    await test.shot(page)


async def test_over_tls_by_a_ticket(test):
    """P9: the printed URL lets one browser in, which keeps no secret in its address bar."""
    backend = Backend(test.backend.fairlead)
    try:
        url = await backend.serve_by_ticket(test.certificates)
        context = await test.context()
        page = await (await test.page(context)).open(url)
        assert url.startswith("https://127.0.0.1:") and "ticket=" in url
        assert page.page.url == url.split("?")[0]
        [cookie] = await context.cookies()
        assert cookie["secure"] and cookie["httpOnly"] and cookie["sameSite"] == "Strict"
        await page.run("echo $((6*7)) over TLS")
        await page.shows("\n42 over TLS")
        assert all(socket.url.startswith("wss://") for socket in page.sockets)
        await page.reload()
        await page.shows("\n42 over TLS")
        tab = await (await test.page(context)).open(page.page.url)
        await tab.run("echo $((7*7))")
        await tab.shows("\n49")
        stranger = await (await (await test.context()).new_page()).goto(url)
        assert "/sign-in?why=ticket_invalid" in stranger.url, "a ticket is good once"
    finally:
        await backend.stop()


async def test_a_reload_amid_output_shows_the_same_screen(test):
    """P1: cell by cell as on a page that was not reloaded."""
    session = await test.backend.create()
    context = await test.context()
    page = await (await test.page(context)).open(f"{test.backend.url}/t/{session}")
    witness = await (await test.page(context)).open(f"{test.backend.url}/t/{session}")
    await page.run("for i in $(seq 1 300); do printf '\\e[1;3%dm%d\\e[0m \\e[48;5;%dm  \\e[0m "
                   "界%s\\n' $((i%8)) $i $((i%256)) $i; sleep 0.01; done; printf 'all\\tdone\\n'")
    await page.shows("界30\n")
    await page.reload()
    await page.shows("all     done\n$")
    await witness.shows("all     done\n$")
    same(await page.is_still(), await witness.is_still())
    await test.shot(page)


async def test_a_reload_brings_a_full_screen_program_back(test):
    """The other buffer, colours, wide characters, modes and a scrolling region; and the shell behind it."""
    session = await test.backend.create()
    context = await test.context()
    page = await (await test.page(context)).open(f"{test.backend.url}/t/{session}")
    witness = await (await test.page(context)).open(f"{test.backend.url}/t/{session}")
    await page.run("echo behind")
    await page.run(
        r"printf '\e[?1049h\e[?1h\e[?2004h\e[?1002h\e[?1006h\e[?25l\e[H\e[44;97;1m top \e[K\e[0m"
        r"\e[5;10H\e[38;2;255;120;0mtrue colour\e[0m \e[3;4mitalic\e[0m 日本語 e\u0301"
        r"\e[8;20r\e[20;1H\e[7mregion\e[0m\n\n\e[38;5;99m'; read; "
        r"printf 'after\e[m\e[r\e[?1049l\e[?1l\e[?1002l\e[?25h'; echo back")
    await page.until("() => fairlead.activePane.xterm.buffer.active.type === 'alternate'")
    await page.is_still()
    await page.reload()
    await page.until("() => fairlead.activePane.xterm.buffer.active.type === 'alternate'")
    await test.shot(page)
    same(await page.is_still(), await witness.is_still())
    await page.run("")
    for each in (page, witness):
        await each.shows("\nback\n$")
        await each.shows("\nbehind\n")
    same(await page.is_still(), await witness.is_still())


def same(seen, expected):
    """Two screens as `cells` reads them; says where they differ."""
    for y, (row, wanted) in enumerate(zip(seen["rows"], expected["rows"])):
        for x, (cell, other) in enumerate(zip(row, wanted)):
            assert cell == other, f"row {y}, column {x}: {cell} instead of {other}"
    assert seen == expected, [(key, seen[key], expected[key]) for key in ("cursor", "type", "modes")]


async def test_a_reload_keeps_what_was_just_typed(test):
    """P2: keys that were under way when the page went arrive once."""
    line = await test.line()
    session = await test.backend.create()
    page = await (await test.page()).open(f"{line.url}/t/{session}")
    await page.prompt()
    line.cut()
    await page.type("echo under''way")
    await line.restore()
    await page.reload()
    await page.shows("$ echo under''way")
    await page.page.keyboard.press("Enter")
    await page.shows("\nunderway\n")
    assert (await page.text()).count("echo under''way") == 1


def numbers_of(output):
    """The lines that are numbers, of all before `alldone`; prompts switch modes before the first."""
    plain = re.sub(r"\x1b\[\?\d+[hl]\r?", "", output.split("alldone")[0])
    return re.findall(r"^(\d+)\r?$", plain, re.M)


async def cut_while_counting(test, seconds, last=100_000):
    """P1: every number is shown once, in order, whatever the network does meanwhile."""
    # A driver to which nothing moves for two seconds, in a browser that is starved, no longer holds the process,
    # and then a snapshot may take the place of output (docs/protocol.md, section 5). Such a try shows nothing.
    for _ in range(3):
        seen, on_screen = await count_and_cut(test, seconds, last)
        if seen and seen["snapshots"] == 0:
            numbers = numbers_of(seen["text"])
            assert numbers == [str(number) for number in range(1, last + 1)], len(numbers)
            assert len(on_screen) > 5_000
            return
        why = f"a snapshot: {seen['story']}" if seen else "the count was over before the cut"
        print(f"{test.name}: {why}", flush=True)
    assert False, "three tries, and none cut the line amid output that the log holds"


async def count_and_cut(test, seconds, last):
    """What the page was told of, and the numbers that it shows; nothing if all was shown before the cut."""
    # Slow enough for the count to go on when the line is cut.
    line = await test.line(rate=200_000)
    session = await test.backend.create()
    page = await (await test.page()).open(f"{line.url}/t/{session}")
    # Not before: the page is live when it is OPENED, and the snapshot that it begins with comes behind that.
    await page.prompt()
    await page.record()
    await page.run(f"seq 1 {last}; echo all''done")
    await page.until("() => seen.text.length > 60000")
    line.cut()
    await asyncio.sleep(min(seconds, 1.5))
    if "alldone" in await page.js("seen.text"):
        return None, None
    if seconds > 1:
        await page.says("Reconnecting")
        await test.shot(page)
    await asyncio.sleep(max(0, seconds - 1.5))
    await line.restore()
    await page.live()
    await page.shows("\nalldone\n", limit=120)
    seen = await page.js("seen")
    # The cut is what this is about: every one is resumed at the next byte.
    assert seen["resumed"] and set(seen["resumed"]) == {"exact"}, seen["story"]
    on_screen = [int(it) for it in re.findall(r"^(\d+)$", await page.text(), re.M)]
    assert on_screen == list(range(on_screen[0], last + 1))
    return seen, on_screen


async def test_a_cut_of_half_a_second(test):
    await cut_while_counting(test, 0.5)


async def test_a_cut_of_5_seconds(test):
    await cut_while_counting(test, 5)


async def test_a_cut_of_40_seconds(test):
    await cut_while_counting(test, 40)


async def test_keys_typed_in_a_cut_arrive_after_it(test):
    """P2: once, in order."""
    line = await test.line()
    page = await (await test.page()).open(line.url)
    await page.prompt()
    line.cut()
    await page.says("Reconnecting")
    await page.run("echo first''typed")
    await page.run("echo then''typed")
    await page.says("typing is kept")
    await line.restore()
    await page.shows("thentyped")
    text = await page.text()
    assert text.count("firsttyped") == text.count("thentyped") == 1
    assert text.index("firsttyped") < text.index("thentyped")


async def test_a_short_cut_does_not_flash(test):
    line = await test.line()
    page = await (await test.page()).open(line.url)
    await page.js("""() => {
      globalThis.said = new Set();
      const badge = document.querySelector('#badge-text');
      new MutationObserver(() => said.add(badge.textContent))
        .observe(badge, { childList: true, characterData: true, subtree: true });
      fairlead.activePane.terminal.on('state', ({ name }) => {
        if (name === 'live') globalThis.lasted = performance.now() - since;
        else globalThis.since ??= performance.now();
      });
    }""")
    # A starved machine makes a long cut of a short one, which may be said: another try.
    for _ in range(20):
        connections = len(page.sockets)
        await page.js("() => { said.clear(); globalThis.since = globalThis.lasted = undefined; }")
        line.cut()
        await line.restore()
        # The browser knows that the network is back; the library need not wait.
        await page.page.evaluate("() => window.dispatchEvent(new Event('online'))")
        await page.until("() => lasted !== undefined")
        assert len(page.sockets) > connections
        said = await page.js("[...said]")
        if await page.js("lasted") < 1_000:
            assert [text for text in said if text != "Live"] == [], said
            return
    assert False, "no cut was short"


async def test_a_line_that_went_dead_is_found_in_seconds(test):
    """The socket stays open and carries nothing: only PING can tell."""
    line = await test.line()
    page = await (await test.page()).open(line.url)
    await page.prompt()
    line.freeze()
    await page.type("echo through''it\n")
    await page.shows("throughit", limit=20)


async def test_a_tab_that_stands_still_holds_nobody_and_is_caught_up(test):
    """P6, P7: like a tab that its browser froze, it runs no script, and its browser still answers PING."""
    session = await test.backend.create()
    still = await (await test.page()).open(f"{test.backend.url}/t/{session}")
    await still.prompt()
    connections = len(still.sockets)
    devtools = await still.page.context.new_cdp_session(still.page)
    paused = asyncio.Event()
    devtools.on("Debugger.paused", lambda _: paused.set())
    await devtools.send("Debugger.enable")
    await devtools.send("Debugger.pause")
    witness = await (await test.page()).open(f"{test.backend.url}/t/{session}")
    await witness.prompt()
    # More than its window, so that it would hold the process if it could; and for longer than a connection
    # that does not answer is kept.
    await witness.run("seq 1 100000; sleep 26; echo all''counted")
    await witness.shows("\nallcounted\n", limit=120)
    assert paused.is_set()
    await devtools.send("Debugger.disable")
    await still.shows("\nallcounted\n")
    same(await still.is_still(), await witness.is_still())
    assert len(still.sockets) == connections, "it was taken for dead"


async def test_a_hidden_tab_is_no_stuck_client(test):
    """P6, P7: Chromium wakes its timers once a second, then once a minute. It keeps its connection, lets its
    process run to the end, though it alone could hold it, and shows all when it is looked at again."""
    browser = await test.browser.browser_type.launch(executable_path=CHROMIUM, **HiddenTab.LAUNCH)
    try:
        session = await test.backend.create()
        tab = await HiddenTab(browser).open(f"{test.backend.url}/t/{session}")
        await tab.js("""globalThis.states = [], globalThis.ticks = [performance.now()], globalThis.gap = 0;
          fairlead.cluster.on('state', ({ name }) => states.push(name));
          setInterval(() => {
            gap = Math.max(gap, performance.now() - ticks.at(-1));
            ticks.push(performance.now());
          }, 100);""")
        await tab.hide()
        await tab.until("gap > 900")
        await tab.type("seq 1 200000; echo all''counted\n")
        await test.backend.until_shown(session, "allcounted")
        await tab.until("gap > 50_000")
        await tab.type("seq 1 200000; echo twice''counted\n")
        await test.backend.until_shown(session, "twicecounted")
        await tab.show()
        await tab.shows("\ntwicecounted\n")
        assert await tab.js("states.length") == 0, await tab.js("states.join()")
    finally:
        await browser.close()


async def test_two_tabs_are_two_clients_of_one_session(test):
    context = await test.context()
    first = await (await test.page(context)).open(test.backend.url)
    await first.prompt()
    second = await test.page(context)
    # A duplicated tab begins with a copy of the first one's session storage.
    stored = await first.js("JSON.stringify({ ...sessionStorage })")
    await second.page.add_init_script(
        f"if (!sessionStorage.length) Object.assign(sessionStorage, {stored})")
    await second.page.set_viewport_size({"width": 700, "height": 420})
    await second.open(test.backend.url)
    clients = [await page.js("fairlead.cluster.client") for page in (first, second)]
    assert clients[0] != clients[1]
    sessions = [await page.js("fairlead.activePane.terminal.session") for page in (first, second)]
    assert sessions[0] == sessions[1]
    await first.says("2 here")
    assert await first.js("() => document.querySelector('#viewers').title") == "you\nanother window"
    await first.run("echo from the first")
    await second.shows("\nfrom the first")
    await second.run("echo from the second")
    await first.shows("\nfrom the second")
    # The last to type has the size; the other is offered to take it.
    await first.page.click("#take")
    await first.until("() => document.querySelector('#take').hidden")
    for page in (first, second):
        await page.until("() => fairlead.activePane.xterm.cols > 100")
    await test.shot(second)


async def test_twelve_terminals_share_one_connection(test):
    page = await (await test.page()).open(test.backend.url)
    for number in range(2, 13):
        await page.page.click("#new")
        await page.until(f"() => fairlead.panes.length === {number}")
        await page.live()
        await page.run(f"echo terminal number {number}")
        await page.shows(f"\nterminal number {number}")
    assert len(page.open_sockets()) == 1, page.open_sockets()
    before = len(page.sockets)
    await page.reload()
    await page.until("""() => fairlead.panes.length === 12
      && fairlead.panes.every(({ terminal }) => terminal.state.name === 'live')""")
    assert len(page.open_sockets(before)) == 1, page.open_sockets(before)
    await page.shows("\nterminal number 12")
    await page.page.click(".tab:nth-child(7) [role=tab]")
    await page.shows("\nterminal number 7")
    await test.shot(page)


async def test_a_phone(test):
    page = await test.page(**PHONE)
    await page.open(test.backend.url)
    await page.prompt()
    await page.run("sleep 600")
    await page.shows("sleep 600")
    await page.page.tap("#keys button[aria-label=Control]")
    await page.type("c")
    await page.shows("^C")
    await page.run("echo up''again")
    await page.shows("upagain")
    await page.page.tap("#keys button[aria-label=Up]")
    await page.until("() => { const { active } = fairlead.activePane.xterm.buffer; "
                     "return active.getLine(active.baseY + active.cursorY)"
                     ".translateToString(true).endsWith(\"echo up''again\"); }")
    fits = await page.js("() => document.documentElement.scrollWidth <= innerWidth && "
                         "document.querySelector('#keys').getBoundingClientRect().bottom <= innerHeight")
    assert fits
    # The keyboard takes half of the page; the prompt must stay in sight.
    await page.page.set_viewport_size({"width": 390, "height": 400})
    await page.until("() => fairlead.activePane.xterm.rows < 25")
    assert await page.js("""() => {
      const screen = document.querySelector('.pane.active .screen').getBoundingClientRect();
      const { active } = fairlead.activePane.xterm.buffer;
      return screen.bottom <= innerHeight && active.cursorY < fairlead.activePane.xterm.rows;
    }""")
    await test.shot(page)


async def test_queries_are_not_answered_by_the_page(test):
    """The session's node answers; a second answer would be typed into the program."""
    session = await test.backend.create()
    page = await (await test.page()).open(f"{test.backend.url}/t/{session}")
    await page.prompt()
    await page.type(r"printf '\e[c\e[>c\e[=c\e[6n\e[5n\e[?6n\e[18t\e]11;?\a\e]4;1;?\a\eP$qm\e\\\e[?1$p'"
                    "; echo asked''now")
    await page.js("""() => {
      globalThis.typed = [];
      const { terminal } = fairlead.activePane;
      const write = terminal.write.bind(terminal);
      terminal.write = (data) => { typed.push(data); return write(data); };
    }""")
    await page.page.keyboard.press("Enter")
    await page.shows("askednow")
    await page.is_still()
    assert await page.js("typed") == ["\r"]


async def test_the_end_is_told(test):
    page = await (await test.page()).open(test.backend.url)
    await page.run("exit 3")
    await page.says("The process has ended (exit code 3).")
    await test.shot(page)
    await page.page.reload()
    await page.says("exit code 3")
    await page.page.click("text=New terminal")
    await page.live()
    await page.run("echo a''new")
    await page.shows("anew")


async def test_a_closed_terminal_can_be_had_back(test):
    page = await (await test.page()).open(test.backend.url)
    await page.run("echo pre''cious")
    await page.shows("precious")
    # By where it is on the page: what lies under something else cannot be clicked.
    await page.page.hover(".tab.active")
    await page.page.click(".tab.active .close")
    await page.click_by_place(".toast button")
    await page.shows("precious")
    await page.says("Live")


async def test_one_session_in_a_whole_window(test):
    session = await test.backend.create()
    driver = await (await test.page()).open(f"{test.backend.url}/t/{session}")
    assert not await driver.page.is_visible("#bar")
    watcher = await (await test.page()).open(f"{test.backend.url}/t/{session}?watch")
    await watcher.says("Read only")
    await watcher.run("echo must not be typed")
    await driver.run("echo the driver")
    await watcher.shows("\nthe driver")
    assert "must not" not in await driver.text()
    nobody = await test.page()
    await nobody.page.goto(f"{test.backend.url}/t/nobody")
    await nobody.says("There is no such session.")


async def test_the_example_of_the_documentation(test):
    """Ten lines of HTML on another site."""
    page = await test.page()
    await page.page.goto(test.other_site.url)
    await page.page.wait_for_function(
        "() => document.querySelector('.xterm-rows')?.innerText.trim()", timeout=60_000)
    await page.page.click("#terminal")
    await page.page.keyboard.type("echo em''bedded\n")
    await page.page.wait_for_function(
        "() => document.querySelector('.xterm-rows').innerText.includes('embedded')",
        timeout=60_000)
    await test.shot(page)


async def test_by_keyboard_and_screen_reader(test):
    page = await (await test.page()).open(test.backend.url)
    await page.prompt()
    await page.page.keyboard.press("Alt+Shift+N")
    await page.until("() => fairlead.panes.length === 2")
    await page.live()
    await page.page.keyboard.press("Alt+Shift+ArrowLeft")
    await page.until("() => fairlead.panes[0].isActive")
    await page.page.keyboard.press("Alt+Shift+M")
    await page.until("() => document.activeElement.id === 'smaller'")
    await page.page.keyboard.press("Enter")
    await page.until("() => fairlead.activePane.xterm.options.fontSize === 13")
    await page.page.check("#reader")
    await page.page.keyboard.press("Escape")
    await page.until("() => document.activeElement.className.includes('xterm')")
    await page.run("echo spo''ken")
    await page.page.wait_for_function(
        "() => document.querySelector('.pane.active .xterm-accessibility')"
        "?.innerText.includes('spoken')")
    tab = page.page.get_by_role("tab", selected=True)
    assert await tab.count() == 1 and "Live" in await tab.get_attribute("aria-label")


async def test_a_terminal_is_renamed(test):
    page = await (await test.page()).open(test.backend.url)
    await page.page.dblclick(".tab [role=tab]")
    await page.page.keyboard.type("build")
    await page.page.keyboard.press("Enter")
    await page.until("() => document.querySelector('.tab .name').textContent === 'build'")
    await page.reload()
    await page.until("() => document.querySelector('.tab .name').textContent === 'build'")


async def test_the_picture_of_the_readme(test):
    """docs/terminal.png is this, copied from artifacts/browser."""
    prompt = r"\[\e[36m\]ada@harbour\[\e[0m\]:\[\e[34m\]~/fairlead\[\e[0m\]$ "
    shell = {"command": ["/bin/bash", "--norc", "--noprofile", "-i"], "env": {"PS1": prompt}}
    sessions = {name: {"session": await test.backend.create(create=shell), "name": name}
                for name in ("shell", "build", "api logs")}
    page = await test.page(viewport={"width": 860, "height": 430})
    await page.page.add_init_script(
        f"localStorage.setItem('fairlead.terminals:/', '{json.dumps(sessions)}')")
    await page.open(test.backend.url)
    await page.run(f"cd {DOCS.parent} && clear")
    await page.run("git log --color --oneline --no-decorate -6 | cat")
    await page.run("ls --color Sources")
    await page.run("echo every byte once, in order: 'grüße 日本語 🚀'")
    await page.shows("grüße 日本語 🚀\n")
    await page.is_still()
    await test.shot(page, "readme")


def alone(test):
    """Takes something away from the cluster: nothing else may run beside it."""
    test.needs_cluster = test.is_alone = True
    return test


@alone
async def test_a_router_that_is_shut_down_is_not_noticed(test):
    """GOAWAY: the pages move over to the other router before the first one is gone."""
    session = await test.backend.create()
    pages = [await (await test.page()).open(f"{test.backend.url}/t/{session}") for _ in range(4)]
    for page in pages:
        await page.js("""() => {
          globalThis.states = new Set();
          fairlead.activePane.terminal.on('state', ({ name }) => states.add(name));
        }""")
    # Whichever router a page is on, it has to move once.
    for index in (0, 1):
        await test.backend.routers[index].stop()
        await pages[0].run(f"echo all''here{index}")
        for page in pages:
            await page.shows(f"allhere{index}")
            assert set(await page.js("[...states]")) <= {"live"}, await page.js("[...states]")
        await test.backend.restart_router(index)
    assert all(len(page.sockets) > 1 for page in pages)


@alone
async def test_a_router_that_dies_is_a_pause(test):
    """HAProxy brings the page to the other one, in the middle of output."""
    session = await test.backend.create()
    page = await (await test.page()).open(f"{test.backend.url}/t/{session}")
    await page.record()
    await page.run("for i in $(seq 1 3000); do echo $i; sleep 0.002; done; echo all''done")
    # The page may be on either: both die, one after the other.
    for index, length in enumerate([2_000, 8_000]):
        await page.until(f"() => seen.text.length > {length}")
        await test.backend.routers[index].stop(kill=True)
        await test.backend.restart_router(index)
    await page.shows("alldone", limit=120)
    seen = await page.js("seen")
    assert numbers_of(seen["text"]) == [str(number) for number in range(1, 3_001)]
    assert len(page.sockets) > 1


@alone
async def test_a_node_that_dies_is_told_and_its_last_screen_stays(test):
    """P10."""
    page = await (await test.page()).open(test.backend.url)
    await page.run("echo last''words")
    await page.shows("lastwords")
    session = await page.js("fairlead.activePane.terminal.session")
    await test.backend.nodes[await test.backend.node_of(session)].stop(kill=True)
    await page.says("was lost when the server that held it stopped, and its process with it", limit=90)
    await page.shows("lastwords")
    await test.shot(page)
    await page.page.reload()
    await page.says("was lost when the server that held it stopped, and its process with it", limit=90)
