"""nginx, which serves the files of a folder: the answers to http-01 that a client writes there."""

from __future__ import annotations

import os
from pathlib import Path

from .process import Process, find_program, free_port, tcp_answers
from .program import ServerProgram

_CONFIG = """\
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {webroot};
        location / {{ try_files $uri @behind; }}
        location @behind {{ proxy_pass http://127.0.0.1:{behind}; proxy_set_header Host $host; }}
    }}
}}
"""


class Nginx(ServerProgram):
    """Serves the files below `webroot` at `port`, and asks a server at the port `behind` for all others."""

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder)
        self.port, self.behind = port, free_port()
        self.webroot = self.folder / "webroot"
        self.webroot.mkdir()
        self._config = self.folder / "nginx.conf"
        # Else its workers are another user, who cannot enter the folders of these tests.
        user = "user root;" if os.geteuid() == 0 else ""
        values = {"folder": self.folder, "port": port, "behind": self.behind, "webroot": self.webroot, "user": user}
        self._config.write_text(_CONFIG.format(**values))

    def launch(self) -> None:
        argv = [find_program("nginx"), "-c", str(self._config), "-p", str(self.folder), "-e", str(self.folder / "log")]
        self._process = Process(argv, self.folder / "nginx.log")

    def wait_ready(self) -> None:
        self.process.wait_ready(lambda: tcp_answers(self.port))
