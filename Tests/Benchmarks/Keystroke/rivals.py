"""The servers that are measured, each with its processes by the part they have in a keystroke."""

import os
import signal
import socket
import subprocess
import sys
import time

from meters import children, running_in

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "Echo"))
from typists import BULK, ECHO  # noqa: E402

# The names of parts, in the order in which a key meets them.
FRONT, BACK, HOLDER, REGISTRY = "in front", "terminals", "holder", "Redis"

PROXY_TIMES = "  timeout connect 3s\n  timeout client 30s\n  timeout server 30s\n  timeout tunnel 1h\n"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Servers:
    """Starts processes in a folder of their own, and ends all of them: those that detached themselves too."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []

    def start(self, name, command, until=None, port=None):
        """Waits until its output says `until`, or `port` takes connections."""
        log = f"{self.folder}/{name}.log"
        with open(log, "w") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        self.processes.append(process)
        for _ in range(600):
            if port:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        return process, ""
            else:
                with open(log) as text:
                    if line := next((line for line in text if until in line), None):
                        return process, line
            if process.poll() is not None:
                break
            time.sleep(0.05)
        with open(log) as text:
            sys.exit(f"{name} does not serve; it said:\n{text.read()}")

    def file(self, name, text):
        with open(f"{self.folder}/{name}", "w") as file:
            file.write(text)
        return file.name

    def end(self):
        """Kills them, holders too: 2,000 terminals are gone then, of which each would be looked after for itself."""
        pids = {*running_in(self.folder), *(process.pid for process in self.processes)}
        # What they have started goes with them: nginx's workers would stay.
        pids |= {child for process in self.processes for child in children(process.pid)}
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for process in self.processes:
            process.wait()
        self.processes = []


class Rival:
    """`parts` names the processes of each part; `bulk` is where bulk output is to be had, `megabytes` how much of it is
    a fair share of the time."""

    def __init__(self, name, protocol, port, parts, bulk_port=None, megabytes=200):
        self.name, self.protocol, self.port, self.parts = name, protocol, port, parts
        self.bulk_port, self.megabytes = bulk_port or port, megabytes


def port_of(line):
    return int(line.split("http://127.0.0.1:")[1].split("/")[0])


def options(servers, name, holder):
    held = ["--holder", "off"] if holder == "off" else ["--holder", "require"]
    return [*held, "--state-directory", f"{servers.folder}/{name}"]


def holders(servers, name, holder):
    pids = list(running_in(f"{servers.folder}/{name}"))
    with_name = []
    for pid in pids:
        with open(f"/proc/{pid}/comm") as file:
            if "holder" in file.read():
                with_name.append(pid)
    if holder != "off" and not with_name:
        sys.exit(f"the holder of {name} is not to be found")
    return {HOLDER: with_name} if with_name else {}


def cluster(servers, name, key, binary, holder):
    """A router and a node over Redis, with the holder beside the node."""
    port = free_port()
    redis, _ = servers.start(f"{key}-redis", ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                                              "--dir", servers.folder], "Ready to accept")
    common = ["--redis", f"redis://127.0.0.1:{port}/0", "--listen", "127.0.0.1:0"]
    node, _ = servers.start(f"{key}-node", [binary, "node", "--id", "n", *common, *options(servers, key, holder)],
                            "takes links on")
    router, line = servers.start(f"{key}-router", [binary, "router", "--id", "r", *common], "serves on")
    parts = {FRONT: [router.pid], BACK: [node.pid], **holders(servers, key, holder), REGISTRY: [redis.pid]}
    return Rival(name, "fairlead", port_of(line), parts)


def serve(servers, name, key, binary, holder):
    process, line = servers.start(f"{key}-serve", [binary, "serve", "--no-auth", "--listen", "127.0.0.1:0",
                                                   *options(servers, f"{key}s", holder)], "serves on")
    return Rival(name, "fairlead", port_of(line), {BACK: [process.pid], **holders(servers, f"{key}s", holder)})


def terminado(servers, python):
    port = free_port()
    server, _ = servers.start("terminado", [python, os.path.join(HERE, "..", "Echo", "terminado_server.py"), str(port)],
                              "serves")
    return Rival("terminado", "terminado", port, {BACK: [server.pid]}, megabytes=20)


def of_ttyds_kind(servers, name, command):
    """One server for each script; `command` makes its command line of a port and a script."""
    ports, pids = [], []
    for script in (ECHO, BULK):
        ports.append(free_port())
        process, _ = servers.start(f"{name}-{ports[-1]}", command(str(ports[-1]), script), port=ports[-1])
        pids.append(process.pid)
    return Rival(name, "ttyd", ports[0], {BACK: pids}, bulk_port=ports[1])


def ttyd(servers, binary):
    return of_ttyds_kind(servers, "ttyd", lambda port, script: [binary, "-W", "-i", "127.0.0.1", "-p", port, "sh", "-c",
                                                                script])


def floor(servers, binary):
    """What the kernel's part of a key costs (floor.c)."""
    return of_ttyds_kind(servers, "floor", lambda port, script: [binary, port, script])


def behind_haproxy(servers, rival):
    ports = [free_port() for _ in range(2)]
    sides = "".join(
        f"frontend f{port}\n  bind 127.0.0.1:{port}\n  default_backend b{port}\n"
        f"backend b{port}\n  server s 127.0.0.1:{to}\n" for port, to in zip(ports, (rival.port, rival.bulk_port)))
    config = servers.file(f"haproxy-{ports[0]}.cfg",
                          f"global\n  maxconn 8000\ndefaults\n  mode http\n{PROXY_TIMES}{sides}")
    proxy, _ = servers.start(f"haproxy-{ports[0]}", ["haproxy", "-db", "-f", config], port=ports[0])
    parts = {**rival.parts, FRONT: [proxy.pid, *rival.parts.get(FRONT, [])]}
    return Rival(f"HAProxy + {rival.name}", rival.protocol, ports[0], parts, ports[1], rival.megabytes)


def behind_nginx(servers, rival):
    ports = [free_port() for _ in range(2)]
    sides = "".join(
        f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{to}; proxy_http_version 1.1; "
        "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_read_timeout 1h; } }\n"
        for port, to in zip(ports, (rival.port, rival.bulk_port)))
    folder = servers.folder
    config = servers.file(
        f"nginx-{rival.name}.conf",
        f"daemon off; worker_processes auto; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log;\n"
        f"events {{ worker_connections 16000; }}\nhttp {{ access_log off; client_body_temp_path {folder}/nginx-body; "
        f"proxy_temp_path {folder}/nginx-proxy; fastcgi_temp_path {folder}/nginx-fastcgi; "
        f"uwsgi_temp_path {folder}/nginx-uwsgi; scgi_temp_path {folder}/nginx-scgi;\n{sides}}}\n")
    master, _ = servers.start(f"nginx-{rival.name}", ["nginx", "-c", config, "-e", f"{folder}/nginx-error.log"],
                              port=ports[0])
    parts = {FRONT: [master.pid, *children(master.pid)], **rival.parts}
    return Rival(f"nginx + {rival.name}", rival.protocol, ports[0], parts, ports[1], rival.megabytes)
