"""The processes that a browser test needs, started by the test and ended by it: `fairlead serve`, or a
cluster of two routers and two nodes with a Redis, behind HAProxy without stickiness."""

import asyncio
import json
import os
import random
import socket
import tempfile
import urllib.request

CHROMIUM = "/usr/bin/chromium"
# What a slow machine gets more of, as in Tests/TestSupport.
PATIENCE = int(os.environ.get("FAIRLEAD_PATIENCE", "1"))


HANDED_OUT = set()


def free_port():
    """Below the ports of which the system gives one to who asks for any, and given to nobody else here: what is started
    on it a second time finds it free still."""
    while True:
        port = random.randrange(10_000, 30_000)
        if port in HANDED_OUT:
            continue
        HANDED_OUT.add(port)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Process:
    """A child process whose output is kept."""

    def __init__(self, process):
        self.process = process
        self.lines = []
        self.has_said = asyncio.Condition()
        self.reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, *command, **environment):
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, start_new_session=True,
            env={"FAIRLEAD_HOLDER": "off", **os.environ, **environment})
        return cls(process)

    async def _read(self):
        async for line in self.process.stdout:
            async with self.has_said:
                self.lines.append(line.decode(errors="replace").rstrip())
                self.has_said.notify_all()
        async with self.has_said:
            self.has_said.notify_all()

    async def line(self, text, limit=60):
        """Waits until it says `text`; returns the line."""

        def found():
            return next((line for line in self.lines if text in line), None)

        async with self.has_said:
            await asyncio.wait_for(
                self.has_said.wait_for(lambda: found() or self.reader.done()), limit * PATIENCE)
        if not found():
            raise RuntimeError(f"it ended without saying {text!r}: {self.lines[-5:]}")
        return found()

    async def stop(self, kill=False):
        if self.process.returncode is None:
            (self.process.kill if kill else self.process.terminate)()
            try:
                await asyncio.wait_for(self.process.wait(), 20)
            except asyncio.TimeoutError:
                self.process.kill()
        self.reader.cancel()


class Backend:
    """What the browsers talk to."""

    def __init__(self, fairlead):
        self.fairlead = fairlead
        self.processes = []
        self.routers, self.nodes = [], {}
        self.state = None
        self.folder = tempfile.TemporaryDirectory(prefix="fairlead-browser-")
        self.environment = {"SHELL": "/bin/bash", "HOME": self.folder.name, "PS1": "$ ",
                            "XDG_RUNTIME_DIR": self.folder.name}

    async def run(self, *command):
        process = await Process.start(*command, **self.environment)
        self.processes.append(process)
        return process

    async def said(self, *arguments):
        """What a command of fairlead prints."""
        process = await self.run(self.fairlead, *arguments)
        await process.reader
        return "\n".join(process.lines)

    def token(self, url):
        """Of the one `serve` at `url`, as its user's commands find it."""
        port = url.rsplit(":", 1)[1]
        with open(os.path.join(self.folder.name, "fairlead", f"serve-{port}.json")) as file:
            return json.load(file)["token"]

    async def serve(self, *options):
        process = await self.run(
            self.fairlead, "serve", "--no-auth", "--listen", "127.0.0.1:0", *options)
        self.port = int((await process.line("serves on")).rsplit(":", 1)[1])
        return self

    async def serve_by_ticket(self, certificates):
        """Over TLS; returns the URL that it prints."""
        process = await self.run(
            self.fairlead, "serve", "--listen", "127.0.0.1:0",
            "--tls-cert", certificates.path("server.pem"),
            "--tls-key", certificates.path("server-key.pem"))
        return (await process.line("serves on")).split("serves on ")[1]

    async def cluster(self, *options):
        port = free_port()
        await (await self.run(
            "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--dir", self.folder.name)).line("Ready to accept connections")
        redis = f"redis://127.0.0.1:{port}/0"
        for name in ("a", "b"):
            node = await self.run(
                self.fairlead, "node", "--id", name, "--redis", redis, "--listen", "127.0.0.1:0")
            await node.line("takes links on")
            self.nodes[name] = node
        for name in ("one", "two"):
            self.routers.append(await self.start_router(name, redis, options))
        self.port = free_port()
        servers = "\n".join(
            f"  server r{index} 127.0.0.1:{router.port} check inter 200ms fall 2 rise 1"
            for index, router in enumerate(self.routers))
        path = os.path.join(self.folder.name, "haproxy.cfg")
        with open(path, "w") as file:
            file.write(f"""
defaults
  mode http
  timeout connect 3s
  timeout check 5s
  timeout client 30s
  timeout server 30s
  timeout tunnel 1h
  option redispatch
  retries 3
frontend terminals
  bind 127.0.0.1:{self.port}
  default_backend routers
backend routers
  balance roundrobin
  option httpchk GET /readyz
{servers}
""")
        await self.run("/usr/sbin/haproxy", "-db", "-f", path)
        await self.until_ready()
        return self

    async def held_cluster(self):
        """A node whose terminals are held, and a router; no load balancer before it."""
        port = free_port()
        await (await self.run(
            "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--dir", self.folder.name)).line("Ready to accept connections")
        redis = f"redis://127.0.0.1:{port}/0"
        self.state = os.path.join(self.folder.name, "node")
        self.environment["NIO_SINGLETON_GROUP_LOOP_COUNT"] = "1"
        self.held_node = (
            self.fairlead, "node", "--id", "held", "--redis", redis, "--listen", f"127.0.0.1:{free_port()}",
            "--holder", "require", "--state-directory", self.state)
        self.nodes["held"] = await self.run(*self.held_node)
        await self.nodes["held"].line("takes links on")
        router = await self.start_router("one", redis, ["--no-auth"])
        self.port = router.port
        await self.until_ready()
        return self

    async def restart_held_node(self):
        """Kills it, and starts it again."""
        await self.nodes["held"].stop(kill=True)
        self.nodes["held"] = await self.run(*self.held_node)
        await self.nodes["held"].line("session goes on")

    async def start_router(self, name, redis, options, port=0):
        router = await self.run(
            self.fairlead, "router", "--id", name, "--redis", redis,
            "--listen", f"127.0.0.1:{port}", "--drain-delay", "0", *options)
        router.port = int((await router.line("serves on")).rsplit(":", 1)[1])
        router.settings = (name, redis, options)
        return router

    async def restart_router(self, index):
        before = self.routers[index]
        self.routers[index] = await self.start_router(*before.settings, port=before.port)

    async def node_of(self, session):
        return json.loads(await self.ask(f"/v1/sessions/{session}"))["node"]

    async def until_ready(self, limit=30):
        deadline = asyncio.get_running_loop().time() + limit
        while True:
            try:
                return await asyncio.to_thread(
                    urllib.request.urlopen, f"{self.url}/readyz", timeout=2)
            except OSError:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.1)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def ask(self, path, body=None):
        """The HTTP API's answer; a body of JSON is posted."""
        request = urllib.request.Request(
            self.url + path, body, {"Content-Type": "application/json"} if body else {})
        answer = await asyncio.to_thread(urllib.request.urlopen, request, timeout=30 * PATIENCE)
        return answer.read().decode()

    async def create(self, **open):
        """A session over the HTTP API; by default a shell with a prompt of `$ `."""
        create = {"command": ["/bin/bash", "--norc", "--noprofile", "-i"], "env": {"PS1": "$ "}}
        body = json.dumps({"create": create, **open}).encode()
        return json.loads(await self.ask("/v1/sessions", body))["session"]

    async def until_shown(self, session, text, limit=120):
        """Waits until a session's screen, as its node has it, shows the text."""
        async with asyncio.timeout(limit * PATIENCE):
            while text not in await self.ask(f"/v1/sessions/{session}/screen?format=text"):
                await asyncio.sleep(0.2)

    async def stop(self):
        for process in reversed(self.processes):
            await process.stop()
        if self.state:
            # Terminals that are held outlive their node.
            await self.said("kill", "--all", "--state-directory", self.state, "--yes")
        self.folder.cleanup()


class Certificates:
    """A private CA, a certificate of it for 127.0.0.1, and a home in which a browser trusts the CA."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="fairlead-browser-")
        self.home = self.path("home")

    def path(self, name):
        return os.path.join(self.folder.name, name)

    async def make(self, fairlead):
        await self._run(fairlead, "certs", "init", self.folder.name, "--host", "127.0.0.1")
        database = os.path.join(self.home, ".pki", "nssdb")
        os.makedirs(database)
        await self._run("certutil", "-d", f"sql:{database}", "-N", "--empty-password")
        await self._run(
            "certutil", "-d", f"sql:{database}", "-A", "-n", "Fairlead test", "-t", "C,,",
            "-i", self.path("ca.pem"))
        return self

    async def _run(self, *command):
        process = await Process.start(*command)
        if await process.process.wait():
            raise RuntimeError(f"{command[0]} failed: {process.lines}")

    def remove(self):
        self.folder.cleanup()


class Line:
    """The network between a browser and the backend: a TCP proxy that can be cut, frozen or slowed."""

    def __init__(self, port):
        self.target = port
        self.port = free_port()
        self.rate = None
        self.writers, self.tasks = set(), set()
        self.server = None
        self.flows = asyncio.Event()
        self.flows.set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def restore(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    def cut(self):
        """Every connection is reset, and new ones are refused."""
        self.server.close()
        for writer in list(self.writers):
            writer.transport.abort()

    async def _serve(self, reader, writer):
        # Somebody has to hold a task for as long as it runs.
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            await self._carry(reader, writer)
        finally:
            self.tasks.discard(task)

    async def _carry(self, reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            return writer.transport.abort()
        self.writers |= {writer, far_writer}
        # A frozen line is the connections of its time: new ones are not affected.
        flows = self.flows
        try:
            await asyncio.gather(
                self._pass(reader, far_writer, flows),
                self._pass(far_reader, writer, flows, self.rate))
        except asyncio.CancelledError:
            pass
        self.writers -= {writer, far_writer}

    async def _pass(self, reader, writer, flows, rate=None):
        try:
            while data := await reader.read(16_384):
                await flows.wait()
                if rate:
                    await asyncio.sleep(len(data) / rate)
                writer.write(data)
                await writer.drain()
        except (OSError, asyncio.CancelledError):
            pass
        writer.close()

    def freeze(self):
        """The present connections stay open and carry nothing any more."""
        frozen, self.flows = self.flows, asyncio.Event()
        self.flows.set()
        frozen.clear()

    async def stop(self):
        self.cut()
        for task in self.tasks:
            task.cancel()
