"""What TLS costs: `fairlead serve` beside HAProxy, with the same certificate and the same file to send.

    ./deploy/bench-tls.sh, or: python3 Tests/Benchmarks/tls.py FAIRLEAD

CPU of the server for each, besides what comes through in a second, since the clients take as much of the
machine as the servers do. The file is xterm.js, which both send from memory; what encrypting it costs is the
difference to sending it in the clear.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

SECONDS = 5
DOWNLOADS = 400


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu(process):
    """Seconds of CPU so far, of all its threads."""
    with open(f"/proc/{process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(port):
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on {port}")


def handshakes(process, port, authority, kind):
    """µs of CPU per handshake, and handshakes per second."""
    before = cpu(process)
    command = ["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-CAfile", authority,
               "-time", str(SECONDS), kind, "-tls1_2" if kind == "-reuse" else "-tls1_3"]
    clients = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
               for _ in range(2)]
    outputs = [client.communicate()[0] for client in clients]
    counts = [int(re.search(r"(\d+) connections in \d+ real", output)[1]) for output in outputs]
    return (cpu(process) - before) / sum(counts) * 1e6, sum(counts) / SECONDS


def download(process, url, authority):
    """µs of CPU per MB, and MB per second."""
    before, began = cpu(process), time.monotonic()
    result = subprocess.run(
        ["curl", "-sS", "-f", "--cacert", authority, "-o", "/dev/null", "-w", "%{size_download}\n",
         f"{url}?[1-{DOWNLOADS}]"], capture_output=True, text=True, check=True)
    size = sum(int(line) for line in result.stdout.split()) / 1e6
    return (cpu(process) - before) / size * 1e6, size / (time.monotonic() - began)


def asset(port):
    """The path of the largest file of the page."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
        return re.search(r'src="(/assets/[^"]*/xterm.js)"', page.read().decode())[1]


def main():
    fairlead = sys.argv[1] if len(sys.argv) > 1 else ".build/release/fairlead"
    processes = []
    with tempfile.TemporaryDirectory() as folder:
        def start(*arguments):
            log = open(f"{folder}/{len(processes)}.log", "w")
            processes.append(subprocess.Popen(arguments, stdout=log, stderr=log))
            return processes[-1]

        subprocess.run([fairlead, "certs", "init", folder, "--host", "localhost", "--host",
                        "127.0.0.1"], check=True, stdout=subprocess.DEVNULL)
        authority = f"{folder}/ca.pem"
        with open(f"{folder}/both.pem", "w") as both:
            for name in ["server", "server-key"]:
                both.write(open(f"{folder}/{name}.pem").read())
        plain, secure, their_plain, their_secure = [free_port() for _ in range(4)]
        try:
            open_serve = start(fairlead, "serve", "--listen", f"127.0.0.1:{plain}")
            serve = start(fairlead, "serve", "--listen", f"127.0.0.1:{secure}", "--tls-cert",
                          f"{folder}/server.pem", "--tls-key", f"{folder}/server-key.pem")
            for port in [plain, secure]:
                wait_for(port)
            path = asset(plain)
            urllib.request.urlretrieve(f"http://127.0.0.1:{plain}{path}", f"{folder}/asset")
            with open(f"{folder}/haproxy.cfg", "w") as config:
                config.write(f"""
global
  nbthread {os.cpu_count()}
  tune.bufsize 1048576
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend answers
  bind 127.0.0.1:{their_plain}
  bind 127.0.0.1:{their_secure} ssl crt {folder}/both.pem alpn http/1.1
  http-request return status 200 content-type text/javascript file {folder}/asset
""")
            haproxy = start("haproxy", "-db", "-f", f"{folder}/haproxy.cfg")
            wait_for(their_secure)
            rows = []
            for name, kind in [("full handshake", "-new"), ("resumed handshake", "-reuse")]:
                ours, our_rate = handshakes(serve, secure, authority, kind)
                theirs, their_rate = handshakes(haproxy, their_secure, authority, kind)
                rows.append((f"{name}, µs", ours, theirs))
                rows.append((f"{name}s per second", our_rate, their_rate))
            ours, our_rate = download(serve, f"https://127.0.0.1:{secure}{path}", authority)
            theirs, their_rate = download(
                haproxy, f"https://127.0.0.1:{their_secure}{path}", authority)
            our_clear, _ = download(open_serve, f"http://127.0.0.1:{plain}{path}", authority)
            their_clear, _ = download(
                haproxy, f"http://127.0.0.1:{their_plain}{path}", authority)
            rows.append(("sending 1 MB over TLS, µs", ours, theirs))
            rows.append(("of that, encrypting, µs", ours - our_clear, theirs - their_clear))
            rows.append(("MB per second, one client", our_rate, their_rate))
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
            for process in processes:
                process.wait()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'':32}{'fairlead':>10}{'HAProxy':>10}{'ratio':>8}")
    for name, ours, theirs in rows:
        print(f"{name:32}{ours:10.0f}{theirs:10.0f}{ours / theirs:8.2f}")


main()
