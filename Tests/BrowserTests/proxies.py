"""The page behind the proxies that operators have, in a browser (run.py)."""

import asyncio
import os

from processes import Backend, free_port


async def test_behind_http2(test):
    """The page and its WebSocket share one connection of HTTP/2 (RFC 8441), and the proxy shares its connections
    to the router among all requests."""
    backend = Backend(test.backend.fairlead)
    try:
        await backend.serve()
        front = free_port()
        pem = os.path.join(backend.folder.name, "both.pem")
        with open(pem, "w") as both:
            for name in ("server.pem", "server-key.pem"):
                with open(test.certificates.path(name)) as part:
                    both.write(part.read())
        proxy = await haproxy(backend, f"""
defaults
  mode http
  log stdout format raw local0
  option logasap
  timeout connect 3s
  timeout client 30s
  timeout server 30s
  timeout tunnel 1h
frontend terminals
  bind 127.0.0.1:{front} ssl crt {pem} alpn h2,http/1.1
  log-format "%HP by HTTP/%[fc_http_major] %ST"
  default_backend routers
backend routers
  http-reuse always
  server router 127.0.0.1:{backend.port}
""", front)
        context = await test.context()
        for round in range(3):
            page = await (await test.page(context)).open(f"https://127.0.0.1:{front}")
            await page.run(f"echo $((6*7)) round {round}")
            await page.shows(f"\n42 round {round}")
            assert all(socket.url.startswith("wss://") for socket in page.sockets)
        await proxy.line("/v1/connect by HTTP/2")
    finally:
        await backend.stop()


async def test_below_a_path(test):
    """Page, files, cookie and WebSocket, where a proxy has put them."""
    backend = Backend(test.backend.fairlead)
    try:
        front, port = free_port(), free_port()
        url = f"http://127.0.0.1:{front}/deep/terminal/"
        serve = await backend.run(
            backend.fairlead, "serve", "--listen", f"127.0.0.1:{port}", "--public-url", url)
        printed = (await serve.line("serves on")).split("serves on ")[1]
        folder = backend.folder.name
        path = os.path.join(folder, "nginx.conf")
        with open(path, "w") as file:
            file.write(f"""
daemon off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_header {{ default upgrade; '' ''; }}
  server {{
    listen 127.0.0.1:{front};
    location /deep/terminal/ {{
      proxy_pass http://127.0.0.1:{port}/;
      proxy_http_version 1.1;
      proxy_set_header Host $host:$server_port;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_header;
    }}
  }}
}}
""")
        await backend.run("/usr/sbin/nginx", "-p", folder, "-e", "stderr", "-c", path)
        await listening(front)
        context = await test.context()
        page = await (await test.page(context)).open(printed)
        assert page.page.url == url, page.page.url
        [cookie] = await context.cookies()
        assert cookie["path"] == "/deep/terminal", cookie
        await page.run("echo $((6*7)) below")
        await page.shows("\n42 below")
        assert all("/deep/terminal/v1/connect" in socket.url for socket in page.sockets)
        session = await page.js("() => fairlead.activePane.terminal.session")
        alone = await (await test.page(context)).open(f"{url}t/{session}")
        await alone.shows("\n42 below")
        # Where one signs in is below it too, and leads back.
        stranger = await test.page()
        await stranger.page.goto(f"{url}t/{session}")
        await stranger.until("() => location.pathname === '/deep/terminal/sign-in'")
        await stranger.page.fill("#credential", await backend.said("ticket", "--api", url))
        await stranger.page.keyboard.press("Enter")
        await stranger.live()
        await stranger.shows("\n42 below")
        assert stranger.page.url == f"{url}t/{session}", stranger.page.url
    finally:
        await backend.stop()


async def haproxy(backend, text, port):
    path = os.path.join(backend.folder.name, "front.cfg")
    with open(path, "w") as file:
        file.write(text)
    proxy = await backend.run("/usr/sbin/haproxy", "-db", "-f", path)
    await listening(port)
    return proxy


async def listening(port):
    for _ in range(600):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise RuntimeError(f"nothing listens on {port}")
