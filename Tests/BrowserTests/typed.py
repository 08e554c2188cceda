"""What a person types and pastes reaches the program as what it is, each promise in a browser (run.py)."""

import asyncio
import json

PHONE = {"viewport": {"width": 390, "height": 740}, "device_scale_factor": 2, "is_mobile": True,
         "has_touch": True}
# A browser has one clipboard for all its pages, and the tests run beside each other.
CLIPBOARD = asyncio.Lock()
# Keeps what the library is given to send.
RECORD = """() => {
  globalThis.typed = [];
  const { terminal } = fairlead.activePane;
  const write = terminal.write.bind(terminal);
  const fromUTF8 = new TextDecoder();
  terminal.write = (data) => {
    typed.push(typeof data === 'string' ? data : fromUTF8.decode(data));
    return write(data);
  };
}"""


async def prompted(test, **options):
    page = await (await test.page(**options)).open(test.backend.url)
    await page.prompt()
    return page


async def devtools(page):
    return await page.page.context.new_cdp_session(page.page)


async def test_a_paste_stays_in_its_frame(test):
    """P9: by whatever way it comes, text cannot end bracketed paste and be run."""
    async with CLIPBOARD:
        context = await test.context()
        await context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = await (await test.page(context)).open(test.backend.url)
        await page.prompt()
        await page.until("() => fairlead.activePane.xterm.modes.bracketedPasteMode")
        drop = """(text) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.setData('text/plain', text);
          const to = fairlead.activePane.xterm.element;
          to.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
        }"""

        async def by_keys(text):
            await page.js("(text) => navigator.clipboard.writeText(text)", text)
            await page.js("() => fairlead.activePane.focus()")
            await page.page.keyboard.press("Control+Shift+V")

        ways = {"keys": by_keys,
                "method": lambda text: page.js("(text) => fairlead.activePane.xterm.paste(text)", text),
                "clipboard": lambda text: page.js("(text) => navigator.clipboard.writeText(text)"
                                                  ".then(() => fairlead.activePane.paste())", text),
                "drop": lambda text: page.js(drop, text)}
        for name, way in ways.items():
            for end in ("\x1b[201~", "\x9b201~", "\x03"):
                await way(f"echo safe {name}{end}\recho pw''ned\r")
                await page.until("() => fairlead.activePane.terminal.unacknowledged === 0")
                await page.shows("echo pw''ned")
                await page.says("made a symbol")
                assert "pwned" not in await page.text(), (name, end)
                await page.page.keyboard.press("Control+C")
                await page.run("clear")
                await page.until("() => fairlead.activePane.xterm.buffer.active.cursorY === 0")
                await page.prompt()


async def test_a_paste_that_is_too_long_is_told(test):
    page = await prompted(test)
    await page.js("() => fairlead.activePane.xterm.paste('x'.repeat(17 * 2 ** 20))")
    await page.says("17.8 MB were not typed")
    await page.run("echo still''here")
    await page.shows("stillhere")


async def test_ctrl_c_comes_before_a_paste_that_nobody_reads(test):
    """A megabyte waits for a program that does not read: the shell is back, and it is said what was discarded."""
    page = await prompted(test)
    await page.run("sleep 600")
    await page.shows("sleep 600")
    await page.js("() => fairlead.activePane.xterm.paste('echo no\\n'.repeat(125_000))")
    await page.until("() => fairlead.activePane.terminal.unacknowledged > 500_000")
    await page.page.keyboard.press("Control+C")
    await page.says("had yet to be typed")
    await page.until("() => fairlead.activePane.terminal.unacknowledged === 0")
    await page.run("clear; echo ba''ck")
    await page.shows("back\n")


async def test_shift_enter_is_not_enter(test):
    page = await prompted(test)
    # The shell, which is at its prompt until then, has other uses for these keys.
    await page.run("echo re''ady; exec cat -v")
    await page.shows("\nready")
    await page.page.keyboard.type("one")
    await page.page.keyboard.press("Shift+Enter")
    await page.shows("\none^[\n")
    await page.page.keyboard.type("two")
    await page.page.keyboard.press("Enter")
    await page.shows("\ntwo\n")


async def test_a_program_gets_the_keys_that_it_asked_for(test):
    """kitty's keyboard flags, which a snapshot brings back after a reload."""
    page = await prompted(test)
    await page.run(
        r"printf '\e[>1u%s' as''ked; IFS= read -rsn14 a; printf '\e[<u'; echo; echo got $a | cat -v")
    await page.shows("asked")
    await page.page.keyboard.press("Shift+Enter")
    await page.until("() => fairlead.activePane.terminal.unacknowledged === 0")
    await page.reload()
    await page.shows("read -rsn14")
    await page.js("() => fairlead.activePane.focus()")
    await page.page.keyboard.press("Control+C")
    await page.shows("\ngot ^[[13;2u^[[99;5u")
    await page.page.keyboard.press("Control+C")
    await page.shows("^C\n")
    await page.run("echo as''ever")
    await page.shows("\nasever")


async def test_a_composition_is_typed_once(test):
    """The key that ends it is let through by the input method."""
    page = await prompted(test)
    await page.type("echo ")
    await page.js(RECORD)
    tools = await devtools(page)
    for _ in range(2):
        await tools.send("Input.imeSetComposition", {"text": "ls", "selectionStart": 2, "selectionEnd": 2})
        for kind in ("rawKeyDown", "keyUp"):
            await tools.send("Input.dispatchKeyEvent", {
                "type": kind, "windowsVirtualKeyCode": 32, "code": "Space", "key": " "})
        # By the page's clock: a busy one is still at the keys.
        await page.js("() => new Promise(done => setTimeout(done, 50))")
        await tools.send("Input.insertText", {"text": "ls"})
        await page.js("() => new Promise(done => setTimeout(done, 100))")
    await page.page.keyboard.press("Enter")
    await page.until("() => typed.at(-1) === '\\r'")
    assert (await page.js("typed.join('')")).replace(" ", "") == "lsls\r", await page.js("typed")


async def test_held_keys_of_the_row_change_keys_only(test):
    async with CLIPBOARD:
        context = await test.context(**PHONE)
        await context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = await (await test.page(context)).open(test.backend.url)
        await page.prompt()
        await page.run(r"printf '\e[?1004h\e[?1000h\e[?1006h'; echo re''porting; cat -v")
        await page.shows("reporting")
        await page.js(RECORD)
        await page.page.tap("#keys button[aria-label=Control]")
        await page.js("() => fairlead.activePane.xterm.blur()")
        await page.js("() => fairlead.activePane.focus()")
        await page.js("() => navigator.clipboard.writeText('d').then(() => fairlead.activePane.paste())")
        await page.page.tap("#panes", position={"x": 60, "y": 60})
        held = "() => document.querySelector('#keys button[aria-label=Control]').ariaPressed"
        assert await page.js(held) == "true"
        await page.until("() => typed.some((it) => it.includes('d'))")
        assert "\x04" not in await page.js("typed.join('')")
        await page.page.tap("#keys button[aria-label=Up]")
        await page.until("() => typed.at(-1) === '\\x1b[1;5A'")
        assert await page.js(held) == "false"
        await page.page.tap("#keys button[aria-label=Paste]")
        await page.until("() => typed.filter((it) => it === 'd' || it.includes('~d')).length === 2")


async def test_option_types_characters_unless_it_is_wanted_as_alt(test):
    """On a German Mac Option with L is `@`."""
    page = await test.page()
    await page.page.add_init_script("Object.defineProperty(navigator, 'platform', { get: () => 'MacIntel' })")
    await page.open(test.backend.url)
    await page.prompt()
    await page.js(RECORD)
    tools = await devtools(page)

    async def option():
        await page.js("() => fairlead.activePane.focus()")
        key = {"modifiers": 1, "windowsVirtualKeyCode": 76, "code": "KeyL", "key": "@"}
        await tools.send("Input.dispatchKeyEvent", {"type": "keyDown", "text": "@", **key})
        await tools.send("Input.dispatchKeyEvent", {"type": "keyUp", **key})

    await option()
    await page.until("() => typed.join('') === '@'")
    await page.page.keyboard.press("Alt+Shift+M")
    await page.page.click("#menu summary")
    await page.page.check("#optionIsMeta")
    await page.page.keyboard.press("Escape")
    await option()
    await page.until("() => typed.join('') === '@\\x1bl'")
    await page.reload()
    assert await page.js("fairlead.activePane.xterm.options.macOptionIsMeta") is True


async def test_what_is_chosen_is_kept_and_what_is_no_choice_is_not(test):
    page = await test.page()
    junk = {"theme": "x", "fontSize": "9", "lines": 1e9, "cursor": 5, "font": '";}', "keys": True}
    await page.page.add_init_script(
        f"localStorage.getItem('fairlead.settings') ?? localStorage.setItem('fairlead.settings', {json.dumps(json.dumps(junk))})")
    await page.open(test.backend.url)
    options = await page.js("""() => {
      const { cursorStyle, scrollback, fontSize, fontFamily } = fairlead.activePane.xterm.options;
      return [cursorStyle, scrollback, fontSize, fontFamily.includes(';')];
    }""")
    assert options == ["block", 100_000, 14, False], options
    await page.page.keyboard.press("Alt+Shift+M")
    await page.page.click("#menu summary")
    await page.page.select_option("#cursor", "bar")
    await page.page.check("#cursorBlinks")
    await page.page.fill("#lines", "500")
    await page.page.fill("#font", "DejaVu Sans Mono")
    await page.page.keyboard.press("Escape")
    await page.reload()
    options = await page.js("""() => {
      const { cursorStyle, cursorBlink, scrollback, fontFamily } = fairlead.activePane.xterm.options;
      return [cursorStyle, cursorBlink, scrollback, fontFamily.split(',')[0]];
    }""")
    assert options == ["bar", True, 500, '"DejaVu Sans Mono"'], options
