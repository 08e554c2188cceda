"""What TLS costs: `fairlead serve` beside HAProxy, with the same certificate, in µs of the server's CPU.

    swift build -c release --product fairlead
    python3 Benchmarks/tls.py .build/release/fairlead

CPU and not time, since the clients take as much of the machine as the servers do. HAProxy answers by
itself in the handshakes; in the downloads it relays from a plain `fairlead serve`, and what is shown is
the difference between TLS and plain text, for both.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

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
    """µs of CPU per MB."""
    before = cpu(process)
    result = subprocess.run(
        ["curl", "-sS", "--cacert", authority, "-o", "/dev/null", "-w", "%{size_download}\n",
         f"{url}?[1-{DOWNLOADS}]"], capture_output=True, text=True, check=True)
    size = sum(int(line) for line in result.stdout.split())
    return (cpu(process) - before) / (size / 1e6) * 1e6


def main():
    fairlead = sys.argv[1] if len(sys.argv) > 1 else ".build/release/fairlead"
    asset = "/assets/xterm-6.0.0/xterm.js"
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
        plain, secure, relay, secure_relay, answers = [free_port() for _ in range(5)]
        with open(f"{folder}/haproxy.cfg", "w") as config:
            config.write(f"""
global
  nbthread {os.cpu_count()}
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend answers
  bind 127.0.0.1:{answers} ssl crt {folder}/both.pem
  http-request return status 200
frontend relay
  bind 127.0.0.1:{relay}
  bind 127.0.0.1:{secure_relay} ssl crt {folder}/both.pem
  default_backend serve
backend serve
  server one 127.0.0.1:{plain}
""")
        try:
            open_serve = start(fairlead, "serve", "--listen", f"127.0.0.1:{plain}")
            serve = start(fairlead, "serve", "--listen", f"127.0.0.1:{secure}", "--tls-cert",
                          f"{folder}/server.pem", "--tls-key", f"{folder}/server-key.pem")
            haproxy = start("haproxy", "-db", "-f", f"{folder}/haproxy.cfg")
            for port in [plain, secure, answers]:
                wait_for(port)
            rows = []
            for name, kind in [("full handshake", "-new"), ("resumed handshake", "-reuse")]:
                ours, per_second = handshakes(serve, secure, authority, kind)
                theirs, their_rate = handshakes(haproxy, answers, authority, kind)
                rows.append((f"{name}, µs", ours, theirs))
                rows.append((f"{name}s per second", per_second, their_rate))
            ours = download(serve, f"https://127.0.0.1:{secure}{asset}", authority) - download(
                open_serve, f"http://127.0.0.1:{plain}{asset}", authority)
            theirs = download(
                haproxy, f"https://127.0.0.1:{secure_relay}{asset}", authority) - download(
                haproxy, f"http://127.0.0.1:{relay}{asset}", authority)
            rows.append(("encrypting 1 MB, µs", ours, theirs))
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
            for process in processes:
                process.wait()
    print(f"{'':28}{'fairlead':>10}{'HAProxy':>10}{'ratio':>8}")
    for name, ours, theirs in rows:
        print(f"{name:28}{ours:10.0f}{theirs:10.0f}{ours / theirs:8.2f}")


main()
