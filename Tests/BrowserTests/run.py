#!/usr/bin/env python3
"""Real browsers against real processes. Each test is an async function `test_…` in one of the files beside this one; they run together, each with a browser profile of its own.

    deploy/test.sh runs this; by hand: run.py --build .build/debug [--only WORD]

Screenshots go to artifacts/browser."""

import argparse
import asyncio
import os
import pathlib
import sys
import time
import traceback

from playwright.async_api import async_playwright

import entering
import looks
import proxies
import snapshots
import tabs
import takeovers
import tests
import typed
from pages import Page
from processes import CHROMIUM, PATIENCE, Backend, Certificates, Line
from snapshots import ScreenProcess

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Pages at a time: browsers are hungry, and a machine of two cores must not make them time out.
AT_ONCE = 4


class Test:
    """What a test is given."""

    def __init__(self, name, browser, backend, other_site, certificates, screen):
        self.name, self.browser, self.backend = name, browser, backend
        self.other_site, self.certificates, self.screen = other_site, certificates, screen
        self.contexts, self.lines, self.pages = [], [], []

    async def context(self, **options):
        options = {"viewport": {"width": 960, "height": 600}, "color_scheme": "dark", **options}
        context = await self.browser.new_context(**options)
        context.set_default_timeout(30_000 * PATIENCE)
        self.contexts.append(context)
        return context

    async def page(self, context=None, **options):
        page = Page(await (context or await self.context(**options)).new_page())
        self.pages.append(page)
        return page

    async def line(self, rate=None):
        line = Line(self.backend.port)
        line.rate = rate
        self.lines.append(await line.restore())
        return line

    def artifact(self, name):
        folder = ROOT / "artifacts" / "browser"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}.png"

    async def shot(self, page, name=None):
        await page.page.screenshot(path=self.artifact(name or self.name))

    async def finish(self):
        """No page may have met an error, broken its content policy, or asked anybody else."""
        for page in self.pages:
            assert not page.problems, page.problems
            others = {host for host in page.hosts if not host.startswith("127.0.0.1:")}
            assert not others, f"requests to {others}"

    async def clean(self, failed):
        for index, page in enumerate(self.pages if failed else []):
            try:
                await self.shot(page, f"failed-{self.name}-{index}")
            except Exception:
                pass
        for context in self.contexts:
            await context.close()
        for line in self.lines:
            await line.stop()


async def run_one(name, function, slots, **surroundings):
    async with slots:
        test = Test(name, **surroundings)
        began = time.monotonic()
        failure = None
        try:
            await asyncio.wait_for(function(test), 360 * PATIENCE)
            await test.finish()
        except Exception:
            failure = traceback.format_exc()
        await test.clean(failure)
        print(f"{'FAILED' if failure else 'passed'}  {name}  {time.monotonic() - began:.1f} s",
              flush=True)
        if failure:
            print(failure, flush=True)
        return failure is None


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / ".build" / "debug",
                        help="where fairlead and fairlead-screen are")
    parser.add_argument("--against", choices=["serve", "cluster"], default="cluster")
    parser.add_argument("--only", default="", help="a part of the names of the tests to run")
    options = parser.parse_args()
    chosen = [(name, function) for module in (tests, looks, typed, tabs, entering, snapshots, takeovers, proxies)
              for name, function in vars(module).items()
              if name.startswith("test_") and options.only in name]
    if options.against == "serve":
        chosen = [it for it in chosen if not getattr(it[1], "needs_cluster", False)]
    backend = Backend(str(options.build / "fairlead"))
    screen = ScreenProcess(options.build / "fairlead-screen")
    other_site = await tests.OtherSite().start()
    certificates = Certificates()
    try:
        await certificates.make(backend.fairlead)
        await getattr(backend, options.against)("--allow-origin", other_site.url)
        other_site.cluster = backend.url
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox"],
                env={**os.environ, "HOME": certificates.home})
            slots = asyncio.Semaphore(AT_ONCE)
            surroundings = {
                "browser": browser, "backend": backend, "other_site": other_site,
                "certificates": certificates, "screen": screen}
            together = [it for it in chosen if not getattr(it[1], "is_alone", False)]
            alone = [it for it in chosen if getattr(it[1], "is_alone", False)]
            results = await asyncio.gather(*(
                run_one(name, function, slots, **surroundings) for name, function in together))
            for name, function in alone:
                results.append(await run_one(name, function, slots, **surroundings))
            await browser.close()
    finally:
        await other_site.stop()
        await backend.stop()
        certificates.remove()
    print(f"browser tests: {sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
