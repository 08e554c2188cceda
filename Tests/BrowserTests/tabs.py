"""What a tab keeps its word in: where the browser forbids things, where two tabs meet, and where something changes
while nobody looks. Each promise in a browser (run.py)."""

import asyncio
import json

from pages import TEXT
from typed import CLIPBOARD, PHONE, devtools, prompted

# As in a browser that blocks cookies: to name a storage throws; and as in one whose storage is full.
FORBIDDEN = """for (const name of ['localStorage', 'sessionStorage']) {
  Object.defineProperty(window, name, {
    get() { throw new DOMException('Access is denied for this document.', 'SecurityError'); },
  });
}"""
FULL = """Storage.prototype.setItem = () => {
  throw new DOMException('The quota has been exceeded.', 'QuotaExceededError');
};"""


async def state_of(test, session):
    sessions = json.loads(await test.backend.ask("/v1/sessions"))
    listed = sessions["sessions"] if isinstance(sessions, dict) else sessions
    return next((it["state"] for it in listed if it["session"] == session), "gone")


async def until_ended(test, session):
    async with asyncio.timeout(60):
        while await state_of(test, session) == "running":
            await asyncio.sleep(0.2)


async def type_blindly(page, text):
    """Without giving the terminal the focus: the page has to have done that."""
    await page.page.keyboard.type(text)


async def test_a_page_without_storage_is_typed_into(test):
    for script in (FORBIDDEN, FULL):
        page = await test.page()
        await page.page.add_init_script(script)
        await page.open(test.backend.url)
        await page.prompt()
        await type_blindly(page, "echo with''out\n")
        await page.shows("\nwithout")
        await page.page.keyboard.press("Alt+Shift+M")
        await page.page.select_option("#theme", "light")
        await page.page.keyboard.press("Escape")
        await page.page.click("#new")
        await page.until("() => fairlead.panes.length === 2")
        await page.live()


async def test_a_terminal_that_went_on_in_another_tab_is_had_back_with_a_key(test):
    """Two tabs that believe to be one, as a browser without Web Locks can make them."""
    context = await test.context()
    await context.add_init_script("Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })")
    first = await (await test.page(context)).open(test.backend.url)
    await first.run("echo fi''rst")
    await first.shows("first")
    client = await first.js("fairlead.cluster.client")
    stored = {**json.loads(await first.js("JSON.stringify({ ...sessionStorage })")), "fairlead.left": client}
    second = await test.page(context)
    await second.page.add_init_script(
        f"if (!sessionStorage.length) Object.assign(sessionStorage, {json.dumps(stored)})")
    await second.open(test.backend.url)
    assert await second.js("fairlead.cluster.client") == client
    await first.says("This terminal went on in another tab")
    await type_blindly(first, "\n")
    await first.live()
    await first.until("() => !document.body.innerText.includes('went on in another tab')")
    await first.run("echo ba''ck")
    for page in (first, second):
        await page.shows("\nback")
        assert await page.js("fairlead.activePane.terminal.state.name") == "live"
    await second.says("2 here")


async def test_a_terminal_closed_without_a_connection_is_ended_by_the_next_page(test):
    line = await test.line()
    page = await (await test.page()).open(line.url)
    await page.run("echo go''ing")
    await page.shows("going")
    await page.page.click("#new")
    await page.until("() => fairlead.panes.length === 2")
    await page.live()
    session = await page.js("fairlead.panes[0].terminal.session")
    line.cut()
    await page.says("Reconnecting")
    await page.js("() => document.querySelector('.tab .close').click()")
    await page.says(" closed")
    # The page goes before its seven seconds are over, and without a word to anybody.
    await page.page.goto("about:blank")
    assert await state_of(test, session) == "running"
    await line.restore()
    await page.open(line.url)
    await until_ended(test, session)
    assert len(await page.js("fairlead.panes.map(({ terminal }) => terminal.session)")) == 1
    await page.until("() => localStorage.getItem('fairlead.ending:/') === null")


async def ask_for_background(page, name):
    await page.run(rf"IFS= read -rs -d '\' -p $'\e]11;?\e\\' a; echo; echo {name} ''${{a#?}}")
    await page.until(f"(wanted) => /{name} .*rgb:/.test(fairlead.activePane && ({TEXT})())", None)
    return await page.js(f"() => ({TEXT})().match(/{name} \\]11;rgb:([0-9a-f/]+)/)?.[1]")


async def test_a_program_that_asks_gets_the_present_colours(test):
    page = await prompted(test)
    assert await ask_for_background(page, "dark") == "1111/1616/1b1b"
    await page.page.emulate_media(color_scheme="light")
    assert await ask_for_background(page, "light") == "fdfd/fcfc/f9f9"
    await page.page.keyboard.press("Alt+Shift+M")
    await page.page.select_option("#theme", "dark")
    await page.page.keyboard.press("Escape")
    assert await ask_for_background(page, "chosen") == "1111/1616/1b1b"
    await page.page.keyboard.press("Alt+Shift+M")
    await page.page.select_option("#theme", "auto")
    await page.page.keyboard.press("Escape")
    await page.reload()
    await page.prompt()
    assert await ask_for_background(page, "reloaded") == "fdfd/fcfc/f9f9"


async def test_a_program_copies_with_the_users_leave(test):
    async with CLIPBOARD:
        context = await test.context()
        await context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = await (await test.page(context)).open(test.backend.url)
        await page.prompt()
        await page.js("() => navigator.clipboard.writeText('of the user')")
        copy = r"printf '\e]52;c;%s\a' $(printf {} | base64)"
        held = "() => navigator.clipboard.readText()"

        async def until_held(text):
            async with asyncio.timeout(60):
                while await page.js(held) != text:
                    await asyncio.sleep(0.1)

        await page.run(copy.format("by-a-program"))
        await page.says("The program wants to copy 12 bytes: by-a-program")
        assert await page.js(held) == "of the user"
        await page.page.click(".notice button:text-is('Copy')")
        await page.says("Copied")
        await until_held("by-a-program")
        await page.run(r"printf '\e]52;c;'; head -c 120000 /dev/zero | tr '\0' a | base64 -w0; printf '\a'; echo lo''ng")
        await page.shows("\nlong")
        await page.says("The program wants to copy 120 kB, which is too much for it to be allowed.")
        assert await page.js(held) == "by-a-program"
        # What it holds is told to nobody who was not allowed.
        await page.run(r"printf '\e]52;c;?\a'; read -rs -t 1 answer; echo answer=${#answer}")
        await page.shows("\nanswer=0")
        await page.run(copy.format("always-now"))
        await page.page.click(".notice button:text-is('Always')")
        await until_held("always-now")
        await page.run(copy.format("unasked"))
        await until_held("unasked")
        await page.js("() => navigator.clipboard.writeText('of the user')")
        await page.page.keyboard.press("Alt+Shift+M")
        await page.page.click("#menu summary")
        await page.page.select_option("#copying", "never")
        await page.page.check("#reading")
        await page.page.keyboard.press("Escape")
        await page.run(copy.format("never") + "; echo do''ne")
        await page.shows("\ndone")
        assert await page.js(held) == "of the user"
        await page.run(r"""IFS= read -rs -d '\' -p $'\e]52;c;?\e\\' a; echo; echo "${a#?}" | cut -c7- | base64 -d; echo""")
        await page.shows("\nof the user")


async def test_what_a_program_says_is_on_its_tab_until_it_is_looked_at(test):
    page = await prompted(test)
    await page.run(r"sleep 1; printf '\e]9;4;1;40\a\e]777;notify;Build;it is \e]9;all done\a'; printf '\a'")
    await page.page.click("#new")
    await page.until("() => fairlead.panes.length === 2")
    tab = ".tab:first-child"
    await page.until(f"() => document.querySelector('{tab}').matches('.unseen')")
    await page.until("() => document.querySelector('.tab [role=tab]').title.includes('all done')")
    label = await page.page.get_attribute(f"{tab} [role=tab]", "aria-label")
    assert "all done" in label and "running, 40 percent" in label, label
    assert await page.page.get_attribute(tab, "data-progress") == "running"
    assert (await page.page.title()).startswith("● ")
    await page.page.click(f"{tab} [role=tab]")
    await page.until(f"() => !document.querySelector('{tab}').matches('.unseen')")
    await page.run(r"printf '\e]9;4;0\a'")
    await page.until(f"() => document.querySelector('{tab}').dataset.progress === 'none'")


async def test_a_pinch_does_not_change_the_terminals_size(test):
    page = await test.page(**PHONE)
    await page.open(test.backend.url)
    await page.prompt()
    await page.js("""() => {
      const { terminal } = fairlead.activePane;
      globalThis.sizes = [];
      globalThis.zoomed = 1;
      const resize = terminal.resize.bind(terminal);
      const { rows, cols } = terminal.size;
      terminal.resize = (...size) => { if (`${size}` !== `${[cols, rows]}`) sizes.push(size); resize(...size); };
      visualViewport.addEventListener('resize', () => { zoomed = visualViewport.scale; });
    }""")
    tools = await devtools(page)
    for scale in (1.5, 2, 3, 2, 1):
        await tools.send("Emulation.setPageScaleFactor", {"pageScaleFactor": scale})
        # The page's own listener was told in the same event: a busy browser joins two steps into one.
        await page.until(f"() => Math.abs(zoomed - {scale}) < 0.01")
    await page.is_still()
    assert await page.js("sizes") == []
