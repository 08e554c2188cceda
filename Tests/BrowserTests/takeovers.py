"""P1, P11: a terminal that another process of its node goes on with looks, cell by cell and with all its scrollback, as
before; the page's WebSocket stays open, and who comes then sees the same."""

import asyncio
import os
import pathlib
import shutil
import signal

from processes import Backend
from tests import same

HERE = pathlib.Path(__file__).resolve().parent


class Taken:
    """A session of a node that is killed and started again, and a page that shows it."""

    def __init__(self, test, backend):
        self.test, self.backend = test, backend
        self.pid_file = os.path.join(backend.folder.name, "pid")

    async def start(self, script):
        # Its number is written down by the program's own process.
        self.session = await self.backend.create(create={
            "command": ["/bin/sh", "-c", f"echo $$ >{self.pid_file}; {script}"], "env": {"PS1": "$ "}})
        self.page = await self.open()
        return self

    async def open(self):
        return await (await self.test.page()).open(f"{self.backend.url}/t/{self.session}")

    def signal(self, number):
        with open(self.pid_file) as file:
            os.kill(int(file.read()), number)

    async def takes_over(self):
        """Kills the node; the screen before is the screen after it."""
        before = await self.page.is_still(whole=True)
        await self.backend.restart_held_node()
        await self.page.live()
        same(await self.page.is_still(whole=True), before)
        self.late = await self.open()
        same(await self.late.is_still(whole=True), before)
        await self.test.shot(self.page)

    async def goes_on(self):
        """Both pages show the same after more output."""
        seen = await self.page.is_still(whole=True)
        same(await self.late.is_still(whole=True), seen)
        [socket] = self.page.sockets
        assert not socket.is_closed(), "the WebSocket was closed"


async def held(test, script, body, *programs):
    for program in programs:
        if not shutil.which(program):
            print(f"{test.name}: not run, since {program} is not installed", flush=True)
            return
    backend = Backend(test.backend.fairlead)
    try:
        await backend.held_cluster()
        await body(await Taken(test, backend).start(script))
    finally:
        await backend.stop()


async def test_vim_is_the_same_after_a_takeover(test):
    async def body(taken):
        page = taken.page
        await page.until("() => fairlead.activePane.xterm.buffer.active.type === 'alternate'")
        await page.shows("class Test:")
        # A selection, which the rest of the screen is drawn around.
        await page.type("Vjj")
        await taken.takes_over()
        await page.page.keyboard.press("Escape")
        await page.type("Gotyped after it")
        await page.shows("typed after it")
        await taken.goes_on()

    command = ("exec vim -u NONE -N -n -c 'syntax on' -c 'set number hlsearch' -c 'split' -c '/class Test'"
               f" {HERE / 'run.py'}")
    await held(test, command, body, "vim")


async def test_htop_is_the_same_after_a_takeover(test):
    async def body(taken):
        page = taken.page
        await page.shows("Load average")
        # It draws itself all the time: it stands still while screens are compared.
        taken.signal(signal.SIGSTOP)
        await taken.takes_over()
        taken.signal(signal.SIGCONT)
        await page.type("t")
        await asyncio.sleep(1)
        taken.signal(signal.SIGSTOP)
        await taken.goes_on()
        taken.signal(signal.SIGCONT)

    await held(test, "exec htop -d 5", body, "htop")


async def test_a_full_scrollback_is_the_same_after_a_takeover(test):
    async def body(taken):
        page = taken.page
        await page.shows("all done")
        await taken.takes_over()
        await page.run("echo typed aft''er it")
        for each in (page, taken.late):
            await each.shows("typed after it")
        await taken.goes_on()

    command = (r"for i in $(seq 1 1300); do printf '\033[1;32m[%d/1300]\033[m \033[4;38;5;%dmmodule\033[m 端末 %s\n' $i "
               r"$((i % 256)) \"$(printf '%0'$((i % 100))'d')\"; done; echo all done; exec /bin/bash --norc --noprofile -i")
    await held(test, command.replace('\\"', '"'), body)
