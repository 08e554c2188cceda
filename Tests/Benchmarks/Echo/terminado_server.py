"""The rival: terminado, the terminals of JupyterLab, as its documentation starts it. One process per
connection; /echo and /flood are what typists.py asks for, /echo and /bulk what Keystroke/typists.c does.

  terminado_server.py PORT
"""

import sys

import tornado.httpserver
import tornado.ioloop
import tornado.web
from terminado import TermSocket, UniqueTermManager
from typists import BULK, ECHO, FLOOD


class AnyOrigin(TermSocket):
    def check_origin(self, origin):
        return True


def terminals(script):
    return {"term_manager": UniqueTermManager(shell_command=["sh", "-c", script], max_terminals=4000)}


if __name__ == "__main__":
    application = tornado.web.Application(
        [(rf"/{name}", AnyOrigin, terminals(script))
         for name, script in (("echo", ECHO), ("flood", FLOOD), ("bulk", BULK))]
    )
    tornado.httpserver.HTTPServer(application).listen(int(sys.argv[1]), "127.0.0.1")
    print("serves", flush=True)
    tornado.ioloop.IOLoop.current().start()
