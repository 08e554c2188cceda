"""The rival: terminado, the terminals of JupyterLab, as its documentation starts it. One process per
connection; /echo and /flood are what typists.py asks for.

  terminado_server.py PORT
"""

import sys

import tornado.httpserver
import tornado.ioloop
import tornado.web
from terminado import TermSocket, UniqueTermManager
from typists import ECHO, FLOOD


class AnyOrigin(TermSocket):
    def check_origin(self, origin):
        return True


def terminals(script):
    return {"term_manager": UniqueTermManager(shell_command=["sh", "-c", script], max_terminals=200)}


if __name__ == "__main__":
    application = tornado.web.Application(
        [(r"/echo", AnyOrigin, terminals(ECHO)), (r"/flood", AnyOrigin, terminals(FLOOD))]
    )
    tornado.httpserver.HTTPServer(application).listen(int(sys.argv[1]), "127.0.0.1")
    print("serves", flush=True)
    tornado.ioloop.IOLoop.current().start()
