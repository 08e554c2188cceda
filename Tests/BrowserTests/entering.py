"""How one gets in, and what is said to who does not: signing in, a server that is started anew, a page of one's own with
a mistake in it, and what programs say while nobody looks (run.py)."""

import asyncio
import os
import pathlib
import re
import socket

from looks import check_accessibility
from pages import LIVE, HiddenTab
from processes import CHROMIUM, PATIENCE, Backend, free_port
from tests import PHONE

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"


async def until_at(page, wanted):
    await page.until("(wanted) => location.href.includes(wanted)", wanted)


async def sign_in(page, credential):
    await page.page.fill("#credential", credential)
    await page.page.keyboard.press("Enter")


async def test_signing_in_by_a_ticket(test):
    """Without a cookie the page leads to where one signs in, and from there back; what was used says so."""
    backend = Backend(test.backend.fairlead)
    try:
        serve = await backend.run(test.backend.fairlead, "serve", "--listen", "127.0.0.1:0")
        printed = (await serve.line("serves on")).split("serves on ")[1]
        url, ticket = printed.split("/?ticket=")
        context = await test.context()
        page = await test.page(context)
        await page.page.goto(url)
        await until_at(page, "/sign-in?why=token_missing")
        await page.says("fairlead ticket prints one")
        await test.shot(page, "sign-in-dark")
        await sign_in(page, "no.such.token")
        await page.says("That is neither a ticket nor a token.")
        # As it was printed.
        await sign_in(page, printed)
        await page.live()
        assert page.page.url == f"{url}/", page.page.url
        await page.run("echo $((6*7)) inside")
        await page.shows("\n42 inside")
        session = await page.js("() => fairlead.activePane.terminal.session")
        # Who is in needs no ticket that is still good.
        await page.open(printed)
        assert page.page.url == f"{url}/", page.page.url

        for scheme, options in (("light", {"color_scheme": "light"}), ("phone", PHONE)):
            other = await test.page(**options)
            await other.page.goto(f"{url}/t/{session}?watch&ticket={ticket}")
            await other.says("This ticket was used before, or its ten minutes are over.")
            assert ticket not in other.page.url
            await test.shot(other, f"sign-in-{scheme}")
            await check_accessibility(other, f"sign-in, {scheme}")
        await other.page.goto(f"{url}/t/{session}?watch#top")
        await until_at(other, "/sign-in?why=token_missing")
        await sign_in(other, await backend.said("ticket", "--api", url))
        await other.says("Read only")
        await other.shows("\n42 inside")
    finally:
        await backend.stop()


async def serve_with_key(backend):
    """A `serve` that takes tokens signed by the key in a file: its URL, and the file."""
    key = os.path.join(backend.folder.name, "tokens.key")
    with open(key, "w") as file:
        file.write("0123456789abcdef" * 4)
    serve = await backend.run(
        backend.fairlead, "serve", "--listen", "127.0.0.1:0", "--token-key", key)
    return (await serve.line("serves on")).split("serves on ")[1].split("/?")[0], key


async def test_the_page_to_sign_in_at_says_why_something_was_not_taken(test):
    """In words for what was typed, and for what that server takes."""
    backend = Backend(test.backend.fairlead)
    try:
        url, key = await serve_with_key(backend)
        other = os.path.join(backend.folder.name, "other.key")
        with open(other, "w") as file:
            file.write("f" * 64)

        async def token(*options, key=key):
            return await backend.said("token", "--key-file", key, "--sub", "alice", *options)

        page = await test.page()

        async def says(credential, *words):
            async with page.page.expect_navigation():
                await sign_in(page, credential)
            for each in words:
                await page.says(each)
            # Nothing of what was typed stands in an address, or stays on the page.
            assert credential not in page.page.url
            assert await page.page.input_value("#credential") == ""

        await page.page.goto(url)
        foreign = "That was not taken: it is for another server, or the key has changed"
        hint = "fairlead ticket prints one to the user who started this server; a token of your operator is as good."
        await page.says(hint)
        await says("what is this", "That is neither a ticket nor a token.", "Ticket or token", hint)
        await says("no.such.token", "That is neither a ticket nor a token.")
        await says(await token(key=other), f"{foreign} (token_signature).")
        await says(await token("--audience", "another"), f"{foreign} (token_audience).")
        many = [option for number in range(60) for option in ("--sessions", f"{number:060}")]
        await says(await token(*many), "That is too long for a browser to keep.")
        await test.shot(page)

        port = free_port()
        await (await backend.run(
            "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
            "--dir", backend.folder.name)).line("Ready to accept connections")
        router = await backend.start_router("one", f"redis://127.0.0.1:{port}/0", ["--token-key", key])
        await page.page.goto(f"http://127.0.0.1:{router.port}")
        hint = "Your operator has one for you, or the application that led you here."
        await page.says(hint)
        await says("A" * 43, "That is no token.", "Token", hint)
        assert "icket" not in await page.js("document.body.innerText")
        await test.shot(page, "sign-in-router")

        serve = await backend.run(backend.fairlead, "serve", "--listen", "127.0.0.1:0")
        await page.page.goto((await serve.line("serves on")).split("serves on ")[1].split("/?")[0])
        await page.says("Sign in")
        await says(await token(), "This server takes tickets only: it was started without --token-key.")
    finally:
        await backend.stop()


async def test_a_token_that_may_not_create_says_so(test):
    """The page has a terminal, which was not opened, and why."""
    backend = Backend(test.backend.fairlead)
    try:
        url, key = await serve_with_key(backend)
        page = await test.page()
        await page.page.goto(url)
        await page.says("Ticket or token")
        await sign_in(page, await backend.said("token", "--key-file", key, "--sub", "alice", "--no-create"))
        await page.says("This token may not create session ")
        await page.until("() => document.querySelector('#badge-text').textContent === 'Not opened'")
        label = await page.page.get_attribute(".tab.active [role=tab]", "aria-label")
        assert "Not opened" in label, label
        await test.shot(page)
    finally:
        await backend.stop()


async def test_a_sign_in_that_runs_out(test):
    """What is on the screen stays to be read, with a way back in, and to the same process."""
    backend = Backend(test.backend.fairlead)
    try:
        url, key = await serve_with_key(backend)

        async def token(life):
            return await backend.said("token", "--key-file", key, "--sub", "alice", "--ttl", life,
                                      "--sessions", "*")

        page = await test.page()
        await page.page.goto(url)
        await page.says("Ticket or token")
        # One that runs out before there is anything on the screen was too short for this machine.
        for life in (10, 60, 360):
            credential = await token(f"{life}s")
            async with page.page.expect_navigation():
                await sign_in(page, credential)
            await page.until(f"() => ({LIVE})() || document.body?.innerText.includes('The sign-in has run out.')")
            if "/sign-in" in page.page.url:
                continue
            await page.run("echo st''ays")
            await page.says("Signed out: the sign-in has run out", 2 * life)
            if "\nstays" in await page.text():
                break
            await page.page.click("#sign-in")
            await page.says("The sign-in has run out.")
        assert "stays" in await page.text()
        await test.shot(page, "signed-out")
        await page.page.click("#sign-in")
        await page.says("The sign-in has run out.")
        await sign_in(page, await token("10m"))
        await page.live()
        await page.shows("\nstays")
    finally:
        await backend.stop()


async def test_a_links_token_takes_nobodys_place(test):
    """Another site can lead to a link with its own user's token: whose it is, is said, and who is signed in is asked."""
    backend = Backend(test.backend.fairlead)
    try:
        url, key = await serve_with_key(backend)

        async def token(who):
            return await backend.said("token", "--key-file", key, "--sub", who, "--ttl", "1h")

        mallory = await token("mallory")
        page = await test.page()
        await page.page.goto(f"{url}/#token={mallory}")
        await page.says("Signed in by a link, as mallory")
        await page.live()
        assert mallory not in page.page.url

        page = await test.page()
        await page.page.goto(url)
        await page.says("Ticket or token")
        await sign_in(page, await token("alice"))
        await page.live()
        # From elsewhere, and into the page that is open.
        for before in ("about:blank", url):
            await page.page.goto(before)
            await page.page.goto(f"{url}/#token={mallory}")
            await page.says("You are signed in already. The link is to act as mallory")
            await page.live()
            assert await page.js("() => sessionStorage.getItem('fairlead.token')") is None
        await test.shot(page)
        await page.page.click("text=Act as mallory")
        await page.says("Signed in by a link, as mallory")
        await page.until("(token) => sessionStorage.getItem('fairlead.token') === token", mallory)
    finally:
        await backend.stop()


async def test_a_server_that_died_says_what_was_lost(test):
    """P10: after kill -9 and another start, who was signed in still is; the session is said to be lost, and so are
    the keys that were typed meanwhile."""
    backend = Backend(test.backend.fairlead)
    try:
        port = free_port()

        async def start():
            serve = await backend.run(backend.fairlead, "serve", "--listen", f"127.0.0.1:{port}")
            return serve, (await serve.line("serves on")).split("serves on ")[1]

        serve, printed = await start()
        page = await (await test.page()).open(printed)
        await page.run("echo be''fore")
        await page.shows("\nbefore")
        await serve.stop(kill=True)
        await page.until("() => fairlead.cluster.state.name !== 'open'")
        await page.type("precious words")
        await page.says("typing is kept")
        await start()
        await page.says("This session was lost when the server that held it stopped")
        await page.says("This was typed and not delivered: precious words")
        assert "before" in await page.text(), "its last screen stays"
        await test.shot(page)
        await page.page.click("text=New terminal")
        await page.live()
        await page.run("echo af''ter")
        await page.shows("\nafter")
        # The same over a reload amid it.
        serve = backend.processes[-1]
        await serve.stop(kill=True)
        await page.type("more words")
        await start()
        await page.page.reload()
        await page.says("This session was lost when the server that held it stopped")
    finally:
        await backend.stop()


async def test_a_server_that_is_stopped_says_so(test):
    """P10: SIGTERM is the end of its sessions, not an outage."""
    backend = Backend(test.backend.fairlead)
    try:
        serve = await backend.run(backend.fairlead, "serve", "--listen", "127.0.0.1:0")
        page = await (await test.page()).open((await serve.line("serves on")).split("serves on ")[1])
        await page.run("echo last''words")
        await page.shows("\nlastwords")
        await serve.stop()
        await page.says("The server was shut down, and the session with it.")
        await page.until("() => document.querySelector('#badge-text').textContent === 'Ended'")
        assert "lastwords" in await page.text(), "its last screen stays"
        await test.shot(page)
    finally:
        await backend.stop()


class OwnPage:
    """Somebody's page with README's ten lines on it."""

    async def start(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.origin = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        [self.lines] = re.findall(r"```html\n(.*?)```", README.read_text(), re.DOTALL)
        assert self.lines.count("http://127.0.0.1:7070") == 5, self.lines
        return self

    def show(self, assets, server=None, policy="", token=None):
        self.policy = policy
        url = "http://127.0.0.1:7070"
        made = f"new Fairlead('{server or assets}'" + (f", {{ token: '{token}' }})" if token else ")")
        self.body = self.lines.replace(f"new Fairlead('{url}')", made).replace(url, assets)

    async def _serve(self, reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        body = self.body.encode() if request.startswith(b"GET / ") else b""
        policy = f"Content-Security-Policy: {self.policy}\r\n" if self.policy else ""
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n{policy}"
                     f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


async def test_the_ten_lines_and_what_can_be_wrong_with_them(test):
    """README, tried literally: an embedder's mistake is said once on the console, and in the terminal."""
    backend = Backend(test.backend.fairlead)
    own = await OwnPage().start()
    try:
        context = await test.context()
        page = await context.new_page()
        errors = []
        page.on("console", lambda message: errors.append(message.text)
                if message.text.startswith("Fairlead: ") else None)

        async def says(words):
            await page.goto(own.origin)
            await page.wait_for_function(
                "(words) => document.querySelector('.xterm-rows')?.innerText.replace(/\\s+/g, '')"
                ".includes(words.replace(/\\s+/g, ''))", arg=words)
            async with asyncio.timeout(30 * PATIENCE):
                while not errors:
                    await asyncio.sleep(0.05)
            assert len(errors) == 1 and words in errors[0], errors
            await page.screenshot(path=test.artifact(f"mistake-{words.split()[0].strip('-')}"))
            errors.clear()

        serve = await backend.run(backend.fairlead, "serve", "--listen", "127.0.0.1:0")
        url = (await serve.line("serves on")).split("serves on ")[1].split("/?")[0]
        own.show(url)
        await says(f"--allow-origin {own.origin}")
        allowing = await backend.run(
            backend.fairlead, "serve", "--listen", "127.0.0.1:0", "--allow-origin", own.origin)
        url = (await allowing.line("serves on")).split("serves on ")[1].split("/?")[0]
        own.show(url)
        await says("new Fairlead(url, { token })")
        own.show(url, token="a.b.c")
        await says("does not take the token")
        with socket.socket() as nobody:
            # Taken, and nobody listens.
            nobody.bind(("127.0.0.1", 0))
            own.show(url, server=f"http://127.0.0.1:{nobody.getsockname()[1]}")
            await says("nothing that is Fairlead answers")
        scripts = f"script-src {url} 'unsafe-inline'"
        styles = f"style-src {url} 'unsafe-inline'"
        own.show(url, policy=f"{scripts}; {styles}; connect-src {own.origin}")
        await says("it needs connect-src")
        # The styles' own trouble is told, and keeps nobody from connecting.
        token = backend.token(url)
        own.show(url, token=token, policy=f"{scripts}; style-src {url}")
        await page.goto(own.origin)
        async with asyncio.timeout(30 * PATIENCE):
            while not any("style-src 'unsafe-inline'" in error for error in errors):
                await asyncio.sleep(0.05)
        prompt = "() => /[$#]\\s*$/.test(document.querySelector('.xterm-rows')?.innerText.trim())"
        await page.wait_for_function(prompt)
        assert len(errors) == 1, errors
        errors.clear()
        own.show(url, token=token)
        await page.goto(own.origin)
        await page.wait_for_function(prompt)
        await page.click("#terminal")
        await page.keyboard.type("echo em''bedded\n")
        await page.wait_for_function(
            "() => document.querySelector('.xterm-rows').innerText.includes('embedded')")
        assert errors == [], errors
    finally:
        own.server.close()
        await backend.stop()


async def test_what_a_program_says_while_the_page_is_hidden(test):
    """The window's title counts, and the desktop tells, once the user has switched it on in the settings."""
    browser = await test.browser.browser_type.launch(executable_path=CHROMIUM, **HiddenTab.LAUNCH)
    try:
        session = await test.backend.create()
        tab = await HiddenTab(browser).open(f"{test.backend.url}/t/{session}")
        await tab.allow("notifications")
        await tab.js("""globalThis.told = [];
          globalThis.Notification = class extends Notification {
            constructor(title, options) { super(title, options); told.push([title, options.body]); }
          };
          document.querySelector('#notify').click();
          document.querySelector('#bell').click();""")
        # It is set once the browser has answered.
        await tab.until("Object.values(localStorage).some((it) => it.includes('\"notify\":true'))")
        before = await tab.js("document.title")
        await tab.type("read go; printf '\\e]777;notify;Build;it is done\\a'; sleep 2; "
                       "printf '\\e]9;4;1;50\\a\\e]9;4;0\\a'; sleep 2; printf '\\a'; echo al''l\n")
        await tab.until("fairlead.activePane.xterm.buffer.active.cursorY > 0")
        await tab.hide()
        await tab.type("\n")
        await tab.shows("\nall")
        await tab.until("document.title.startsWith('(3) ')")
        said = await tab.js("told")
        assert said[0][0] == "Build" and said[0][1].endswith("it is done"), said
        # Two that come within a second, as a page that is asleep may read them, are one of the desktop.
        assert {body for _, body in said[1:]} <= {"It is done", "The bell rang"}, said
        await tab.show()
        await tab.until(f"document.title === {before!r}")
    finally:
        await browser.close()


async def test_a_program_is_told_that_the_colours_changed(test):
    """Mode 2031: a real program hears of dark and light, and gets the new background when it asks."""
    page = await (await test.page()).open(test.backend.url)
    await page.prompt()
    program = r"""printf '\e[?2031h'; for w in one two; do echo "waits $w"; """ \
        r"""IFS= read -rs -d n a; IFS= read -rs -d '\' -p $'\e]11;?\e\\' b; """ \
        r"""b=${b%?}; echo; echo "$w told ${a#?} ${b#?}"; done; printf '\e[?2031l'; echo do''ne"""
    await page.run(program)
    await page.shows("\nwaits one")
    await page.page.emulate_media(color_scheme="light")
    await page.shows("one told [?997;2 ]11;rgb:fdfd/fcfc/f9f9")
    await page.shows("\nwaits two")
    await page.page.keyboard.press("Alt+Shift+M")
    await page.page.select_option("#theme", "dark")
    await page.page.keyboard.press("Escape")
    await page.shows("two told [?997;1 ]11;rgb:1111/1616/1b1b")
    await page.shows("\ndone")
