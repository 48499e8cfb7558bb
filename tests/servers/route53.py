"""moto's Route 53, made as strict as Amazon's about changes; its TXT records can be queried in the mock DNS server.

Run as a program it is the server; `Route53` starts that.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import requests

from .process import Process, free_port, tcp_answers
from .program import ServerProgram, local_session

#: The looks at a change that may not be looked at.
_DENIED = 1000


class Route53(ServerProgram):
    """`url` is for clients: any access key will do."""

    def __init__(self, *, sink: str = "", folder: Path | None = None) -> None:
        super().__init__(folder)
        self._sink = sink
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def launch(self) -> None:
        argv = [sys.executable, "-m", __spec__.name, str(self.port), "--sink", self._sink]
        root = Path(__file__).parents[2]
        env = {"AWS_ACCESS_KEY_ID": "server", "AWS_SECRET_ACCESS_KEY": "server", "MOTO_IAM_LOAD_MANAGED_POLICIES": "0"}
        self._process = Process(argv, self.folder / "moto.log", cwd=root, env=env)

    def wait_ready(self) -> None:
        self.process.wait_ready(lambda: tcp_answers(self.port), within=30)

    def keep_pending(self, looks: int) -> None:
        """Have changes PENDING for so many calls of GetChange from now on, at first for none."""
        local_session().post(f"{self.url}/test-looks/{looks}", timeout=5)

    def deny_looks(self) -> None:
        """Refuse GetChange from now on, until keep_pending(); changes are PENDING."""
        self.keep_pending(_DENIED)

    def calls(self) -> list[str]:
        """Return the names of the operations that were called, the oldest first."""
        answer = local_session().get(f"{self.url}/test-calls/all", timeout=5)
        return [str(name) for name in answer.json()]


def _strict_backend(sink: str, looks: list[int]) -> list[str]:
    """Patch moto; return the list that gets the names of the operations. The last of `looks` counts."""
    from moto.route53 import models, responses
    from moto.route53.exceptions import Route53ClientError

    calls: list[str] = []
    pending: dict[str, int] = {}
    change_sets = models.Route53Backend.change_resource_record_sets
    answer_change = responses.Route53.change_resource_record_sets
    answer_get = responses.Route53.get_change

    def change(self: Any, zoneid: str, change_list: list[dict[str, Any]]) -> None:
        zone = self.get_hosted_zone(zoneid)
        gone: set[str] = set()
        for value in change_list:
            if refusal := _refusal(zone, value, gone):
                raise Route53ClientError("InvalidChangeBatch", refusal)
            if value["Action"] == "DELETE":
                gone.add(value["ResourceRecordSet"]["Name"])
        names = {value["ResourceRecordSet"]["Name"] for value in change_list}
        # moto checks a deletion by its journal: only the set in force may stand there.
        zone.rr_changes[:] = [one for one in zone.rr_changes if one["ResourceRecordSet"]["Name"] not in names] + [
            {"Action": "UPSERT", "ResourceRecordSet": value["ResourceRecordSet"]} for value in change_list
        ]
        change_sets(self, zoneid, change_list)
        for name in names:
            held = _current(zone, name, "TXT")
            _publish(sink, name, held.records if held is not None else [])

    def changed(self: Any) -> Any:
        calls.append("change_resource_record_sets")
        answer = answer_change(self)
        change_id = f"/change/C{len(calls):013d}"
        pending[change_id] = looks[-1]
        answer.result["ChangeInfo"] |= {"Id": change_id, "Status": "PENDING" if looks[-1] else "INSYNC"}
        return answer

    def looked(self: Any) -> Any:
        calls.append("get_change")
        if looks[-1] == _DENIED:
            raise Route53ClientError("AccessDenied", "User is not authorized to perform: route53:GetChange")
        answer = answer_get(self)
        change_id = "/change/" + answer.result["ChangeInfo"]["Id"].rpartition("/")[2]
        pending[change_id] = pending.get(change_id, 0) - 1
        answer.result["ChangeInfo"]["Status"] = "PENDING" if pending[change_id] > 0 else "INSYNC"
        return answer

    models.Route53Backend.change_resource_record_sets = change
    responses.Route53.change_resource_record_sets = changed
    responses.Route53.get_change = looked
    return calls


def _current(zone: Any, name: str, kind: str) -> Any:
    found = [one for one in zone.rrsets if one.name.rstrip(".") == name.rstrip(".") and one.type == kind]
    return found[0] if found else None


def _refusal(zone: Any, value: dict[str, Any], gone: set[str]) -> str:
    """Return what Route 53 says of a change that it refuses, else nothing. gone: names deleted in the same batch."""
    wanted = value["ResourceRecordSet"]
    held = _current(zone, wanted["Name"], wanted["Type"])
    name = wanted["Name"]
    about = f"[name='{name}', type='{wanted['Type']}']"
    if value["Action"] == "DELETE":
        tried = f"[Tried to delete resource record set {about} but "
        if held is None:
            return f"{tried}it was not found]"
        values = sorted(record["Value"] for record in wanted["ResourceRecords"])
        is_same = sorted(held.records) == values and str(held.ttl) == str(wanted["TTL"])
        return "" if is_same else f"{tried}the values provided do not match the current values]"
    if value["Action"] == "UPSERT" and wanted["Name"] in gone:
        # An UPSERT of a set that is there deletes it, and no batch may delete it twice.
        return f"[The request contains an invalid set of changes for a resource record set '{wanted['Type']} {name}']"
    if value["Action"] == "CREATE" and held is not None and wanted["Name"] not in gone:
        return f"[Tried to create resource record set {about} but it already exists]"
    if _current(zone, wanted["Name"], "CNAME") is not None:
        said = f"[RRSet of type {wanted['Type']} with DNS name {wanted['Name']} is not permitted because a"
        return f"{said} conflicting RRSet of type CNAME exists]"
    return ""


def _publish(sink: str, name: str, contents: Sequence[str]) -> None:
    if sink:
        host = f"{name.rstrip('.')}."
        requests.post(f"{sink}/clear-txt", json={"host": host}, timeout=5)
        for content in contents:
            requests.post(f"{sink}/set-txt", json={"host": host, "value": content.strip('"')}, timeout=5)


def main(arguments: list[str]) -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--sink", default="")
    given = parser.parse_args(arguments)
    looks = [0]
    calls = _strict_backend(given.sink, looks)

    from flask import Flask, jsonify
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import run_simple

    moto = DomainDispatcherApplication(create_backend_app)
    own = Flask("test")
    own.add_url_rule("/test-calls/all", view_func=lambda: jsonify(calls))
    own.add_url_rule("/test-looks/<int:count>", "looks", lambda count: jsonify(looks.append(count)), methods=["POST"])

    def app(environ: Any, start_response: Any) -> Any:
        chosen = own if environ["PATH_INFO"].startswith("/test-") else moto
        return chosen(environ, start_response)

    run_simple("127.0.0.1", given.port, app, threaded=True)


if __name__ == "__main__":
    main(sys.argv[1:])
