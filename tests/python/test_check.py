"""What is said of certificates that will end, and how monitoring systems read it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.memory_store import MemoryStore
from tests.pem import write_block
from tests.stores import DAY, put, put_set, record
from tossl_acme.certificates import clock
from tossl_acme.certificates.check import Report, Thresholds, Verdict, report_on_files, report_on_store
from tossl_acme.certificates.metrics import metrics_text, write_metrics
from tossl_acme.certificates.plugin import exit_status, plugin_text
from tossl_acme.errors import ArgumentError
from tossl_acme.files import FilePath
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.pki.keys import generate_private_key
from tossl_acme.pki.throwaway import Life, make_authority, make_certificate
from tossl_acme.store.folder import FolderStore

NOW = 1_800_000_000.0
MINUTE, HOUR = 60.0, 3600.0


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    clock.reset()
    monkeypatch.setattr(clock, "wall", lambda: NOW)
    yield
    clock.reset()


class Shop:
    """A store with what is put into it."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    def put(self, name: str = "a.example", begin: float = -10, end: float = 80, **more: Any) -> None:
        self.add(f"certificates/{name}", "certificate.json", record(name, begin, end, NOW, **more))

    def add(self, where: str, value: str, data: object) -> None:
        self.store.sets.setdefault(where, {})[value] = json.dumps(data).encode()

    def fail(self, *names: str, at: float = -HOUR, **more: Any) -> None:
        limits = {"failures": 2, "failed_at": NOW + at, "recent": [], "retry_at": 0, "paused": False, "visit": "",
                  "message": "no such host"}  # fmt: skip
        self.add(f"limits/{'-'.join(names)}", "limits.json", {"directory": "x", "names": names, **limits, **more})

    def beat(self, ago: float, **more: Any) -> None:
        facts = {"node": "web", "process": 7, "started": 1, "at": NOW - ago, "certificates": 3, "failing": 0}
        self.add("nodes/web", "node.json", {**facts, **more})

    def report(self, **thresholds: float) -> Report:
        return report_on_store(self.store, Thresholds(**thresholds))

    def said(self, **thresholds: float) -> tuple[str, str]:
        """The state, and all problems."""
        report = self.report(**thresholds)
        return report.state, "; ".join(problem for verdict in report.verdicts for problem in verdict.problems)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.mark.parametrize(
    ("begin", "end", "state", "words"),
    [
        (-10, 80, "ok", ""),
        (-50, 40, "ok", ""),
        (-61, 29, "ok", ""),  # due for a day
        (-62, 28, "warning", "its renewal has been due for 2 d"),
        (-81, 9, "warning", "it ends in 9 d, at 2027-01-24T08:00:00Z; its renewal has been due for 21 d"),
        (-88, 2, "critical", "it ends in 2 d"),
        (-90, -0.001, "critical", "it expired 8"),
        (-900, -100, "critical", "it expired 100 d ago"),
        (0.01, 90, "critical", "it is not valid before 2027-01-15T08:14:24Z"),
        (-2, 4, "ok", ""),  # of six days, the half are over after three
        (-4, 2, "warning", "its renewal has been due for 24 h"),
        (-4.8, 1.2, "warning", "it ends in 29 h"),
        (-5.5, 0.5, "critical", "it ends in 12 h"),
        (-0.3, 0.2, "ok", ""),  # of half a day: an hourly run has it due for an hour
        (-0.4, 0.1, "warning", "its renewal has been due for 4 h"),
        (5, 5, "critical", "not valid before"),
        (5, 1, "critical", "not valid before"),
    ],
    ids=range(17),
)
def test_the_end_of_a_certificate(shop: Shop, begin: float, end: float, state: str, words: str) -> None:
    shop.put(begin=begin, end=end)
    found, said = shop.said()
    assert found == state
    assert words in said
    assert bool(words) == bool(said)


def test_thresholds_that_are_given_hold_whatever_the_life_is(shop: Shop) -> None:
    shop.put(begin=-2, end=4)
    assert shop.said(warn=5 * DAY)[0] == "warning"
    assert shop.said(warn=5 * DAY, critical=4.5 * DAY)[0] == "critical"
    assert shop.said(critical=5 * DAY)[0] == "critical"  # what is critical is a warning, too
    assert shop.said(warn=0, critical=0)[0] == "ok"
    shop.put(begin=-89, end=1)
    assert not shop.said(warn=0)[1].startswith("it ends")  # and what is none is not critical


@pytest.mark.parametrize(
    ("option", "wrong"),
    [("warn", {"warn": -1.0}), ("critical", {"critical": -1.0}), ("silent", {"silent": -1.0}),
     ("warn", {"warn": 1.0, "critical": 2.0})],
    ids=range(4),
)  # fmt: skip
def test_thresholds_that_nobody_means_are_refused(option: str, wrong: dict[str, float]) -> None:
    with pytest.raises(ArgumentError) as caught:
        Thresholds(**wrong)
    assert caught.value.errorcode == ("TOSSL", "VALUE", option)


def test_a_renewal_that_fails_is_a_warning_with_its_last_error(shop: Shop) -> None:
    shop.put()
    shop.add("renewal/a.example", "renewal.json", {"last_error": {"message": "the CA is away", "at": NOW}})
    assert shop.said() == ("warning", "its renewal fails: the CA is away")
    shop.fail("A.example", message="no such host")
    assert shop.said() == ("warning", "its renewal fails (2 times in a row): the CA is away")
    del shop.store.sets["renewal/a.example"]
    assert shop.said() == ("warning", "its renewal fails (2 times in a row): no such host")
    (verdict,) = shop.report().certificates
    assert (verdict.facts["failures"], verdict.facts["paused"]) == (2, False)


def test_failures_at_one_ca_from_before_another_issued_do_not_count(shop: Shop) -> None:
    shop.put()
    shop.fail("a.example", at=-11 * DAY, paused=True)
    assert shop.said() == ("ok", "")


def test_what_the_ca_has_paused_is_a_warning_with_the_page_to_open(shop: Shop) -> None:
    shop.put()
    shop.fail("a.example", failures=1, paused=True, visit="https://ca.example/lift")
    state, said = shop.said()
    assert (state, said.partition(";")[0]) == ("warning", "the CA has paused its renewal: open https://ca.example/lift")
    assert shop.report().certificates[0].facts["paused"]


def test_names_that_were_asked_for_in_vain_lately_are_a_warning(shop: Shop) -> None:
    shop.put()
    shop.fail("b.example", "c.example")
    shop.fail("old.example", at=-3 * DAY)
    expected = "no certificate comes for b.example c.example (2 times in a row): no such host"
    assert shop.said() == ("warning", expected)
    shop.store.sets["limits/broken"] = {"limits.json": b"{"}
    shop.store.sets["limits/ca"] = {"limits.json": b'{"told": []}'}
    assert shop.said() == ("warning", expected)


def test_what_else_can_be_wrong_with_one(shop: Shop) -> None:
    shop.put("p.example", persist_until=int(NOW + 20 * DAY))
    shop.put("d.example", issuance={"deploy_command": "systemctl reload nginx"})
    shop.put("r.example", revoked=1)
    shop.put("s.example", self_signed=True)
    verdicts = {verdict.name: verdict for verdict in shop.report().certificates}
    assert {name: verdict.state for name, verdict in verdicts.items()} == {
        "d.example": "warning", "p.example": "warning", "r.example": "critical", "s.example": "warning",
    }  # fmt: skip
    assert "dns-persist-01 record ends at 2027-02-04T" in verdicts["p.example"].problems[0]
    assert verdicts["d.example"].problems == ["it is not deployed"]


def test_where_several_nodes_keep_it_a_deployment_that_failed_is_said_of_its_node(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOSSL_NODE", "watching")
    shop.put(issuance={"deploy_command": "systemctl reload nginx"})
    shop.beat(MINUTE)
    shop.store.sets["deploy.web/a.example"] = {"command": b"", "error": b"exit status 1"}
    assert shop.said() == ("warning", "it is not deployed on web: exit status 1")
    shop.store.sets["deploy.web/a.example"] = {"command": f"1f {int(NOW + 80 * DAY)}".encode()}
    assert shop.said() == ("ok", "")


def test_a_damaged_record_is_unknown_and_hides_nothing(shop: Shop) -> None:
    shop.put("b.example", -62, 28)
    shop.store.sets["certificates/a.example"] = {"certificate.json": b"{"}
    assert [verdict.state for verdict in shop.report().certificates] == ["unknown", "warning"]
    assert shop.report().state == "warning"


def test_a_store_without_certificates_or_that_is_refused_is_unknown(shop: Shop, tmp_path: Path) -> None:
    assert shop.said() == ("unknown", "there is no certificate in the store")
    assert report_on_store(None, Thresholds()).state == "unknown"
    (tmp_path / "format").write_text("99\n")
    (tmp_path / "certificates").mkdir()
    report = report_on_store(FolderStore(FilePath(str(tmp_path))), Thresholds())
    assert report.state == "unknown"
    assert plugin_text(report).startswith(f"TOSSL UNKNOWN - {tmp_path}: the store is of a later version")


@pytest.mark.parametrize(
    ("ago", "more", "state", "words"),
    [
        (MINUTE, {}, "ok", ""),
        (HOUR, {}, "warning", "manage has been silent for 60 min (process 7)"),
        (HOUR, {"ended": True}, "ok", ""),
        (90 * DAY, {}, "warning", "silent for 90 d"),
        (-HOUR, {}, "warning", "60 min ahead: a clock is wrong"),
        (MINUTE, {"failing": 2}, "warning", "manage fails for 2 of 3 certificates"),
        (MINUTE, {"at": None}, "unknown", "its heartbeat is damaged"),
    ],
    ids=range(7),
)
def test_the_heartbeat_of_manage(shop: Shop, ago: float, more: dict[str, Any], state: str, words: str) -> None:
    shop.put()
    shop.beat(ago, **more)
    found, said = shop.said()
    assert found == state
    assert words in said
    assert bool(words) == bool(said)
    assert shop.said(silent=100 * DAY)[0] == ("ok" if "silent" in words or "ahead" in words else state)


def test_a_node_that_is_gone_for_a_week_is_not_missed_where_another_is_at_work(shop: Shop) -> None:
    shop.put()
    shop.beat(8 * DAY)
    shop.store.sets["nodes/new"] = shop.store.sets["nodes/web"]
    assert shop.report().state == "warning"
    shop.beat(MINUTE)
    assert shop.report().state == "ok"


# ---- PEM files ----


class Pem:
    """Certificates of a root, their times in days from now."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = generate_private_key()
        self.root = make_authority(self.key, Life(int(NOW - 900 * DAY), int(NOW + 900 * DAY)))

    def make(self, begin: float, end: float) -> dict[str, str]:
        life = Life(int(NOW + begin * DAY), int(NOW + end * DAY))
        names = parse_identifiers(["f.example", "192.0.2.1"])
        made = make_certificate(names, self.key, life, self.root).as_dict()  # type: ignore[arg-type]
        return {name: str(text) for name, text in made.items()}

    def verdict(self, content: str | bytes) -> Verdict:
        path = self.folder / "file.pem"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self.verdict_on(path)

    def verdict_on(self, path: Path) -> Verdict:
        (verdict,) = report_on_files([FilePath(str(path))], Thresholds()).certificates
        return verdict


@pytest.fixture
def pem(tmp_path: Path) -> Pem:
    return Pem(tmp_path)


@pytest.mark.parametrize(
    ("begin", "end", "state"),
    [(-10, 80, "ok"), (-85, 5, "warning"), (-88, 2, "critical"), (-90, -1, "critical"), (1, 90, "critical")],
    ids=range(5),
)
def test_a_pem_file_that_is_not_ours(pem: Pem, begin: float, end: float, state: str) -> None:
    verdict = pem.verdict(pem.make(begin, end)["certificate"])
    assert verdict.state == state
    assert verdict.facts["domains"] == ["f.example", "192.0.2.1"]
    assert verdict.facts["not_after"] == int(NOW + end * DAY)


def test_the_first_certificate_of_a_file_counts_whatever_is_beside_it(pem: Pem) -> None:
    own, other = pem.make(-10, 80), pem.make(-90, -1)
    encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"
    params = write_block("DH PARAMETERS", b"0\0")
    for before in ("", own["private_key"], encrypted, params, "Bag Attributes: M\xfcller\n"):
        text = f"{before}{own['certificate']}{other['certificate']}{own['root']}".replace("\n", "\r\n")
        assert pem.verdict(text.encode("latin-1")).state == "ok"
    assert pem.verdict(other["certificate"] + own["certificate"]).state == "critical"
    assert pem.verdict(own["certificate"].replace("CERTIFICATE", "X509 CERTIFICATE")).state == "ok"


def test_a_file_that_no_server_could_use_is_critical(pem: Pem) -> None:
    own = pem.make(-10, 80)
    for content in (
        "", "no PEM", own["private_key"], own["certificate"][:-40], own["certificate"].replace("M", "?", 1),
        write_block("CERTIFICATE", b"0\0") + own["certificate"], b"\x30\x82" * 100, b"\0" * 100,
    ):  # fmt: skip
        verdict = pem.verdict(content)
        assert verdict.state == "critical"
        assert verdict.problems[0].startswith("not a certificate: ")


def test_a_file_that_cannot_be_read_is_unknown(pem: Pem, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * (1 << 20) + b"x")
    expected = {"none": "No such file", "big": "it holds more than", ".": "Is a directory"}
    for name, words in expected.items():
        verdict = pem.verdict_on(tmp_path / name)
        assert verdict.state == "unknown"
        assert verdict.problems[0].startswith(f"it cannot be read: {words}")


# ---- what monitoring systems read ----

#: The figures of a plugin: 'label'=value[unit];[warn];[crit];[min];[max] (Monitoring Plugins guidelines, 2.6).
_FIGURE = re.compile(r"(?:[^ '=]+|'(?:[^'=|]|'')+')=-?\d+s?(?:;(?:\d+:)?){0,2}(?:;\d*)?(?= |$)")


def test_the_output_of_a_plugin(shop: Shop) -> None:
    shop.put()
    shop.put("b.example", -85, 5)
    shop.beat(MINUTE)
    lines = plugin_text(shop.report()).split("\n")
    assert lines == [
        "TOSSL WARNING - b.example: it ends in 5 d, at 2027-01-20T08:00:00Z; of 2 certificates | certificates=2;;;0 "
        "warning=1;;;0 critical=0;;;0 unknown=0;;;0 "
        "'a.example'=6912000s;864000:;259200: 'b.example'=432000s;864000:;259200:",
        "[WARNING] b.example: it ends in 5 d, at 2027-01-20T08:00:00Z; its renewal has been due for 25 d",
        "[OK] a.example: well",
        "[OK] node web: manage is at work",
    ]
    assert [exit_status(state) for state in ("ok", "warning", "critical", "unknown")] == [0, 1, 2, 3]


def test_no_text_breaks_its_form(shop: Shop) -> None:
    """A bar begins figures, an end of line another line; the label of a figure ends at a quote."""
    shop.put()
    shop.add("renewal/a.example", "renewal.json", {"last_error": {"message": "x | y=1\nz \x1b[31m \ud800"}})
    report = shop.report()
    odd = Verdict("file", "/it's | a=b\n.pem", not_after=NOW + DAY)
    odd.add("critical", "a | b\nc")
    report.certificates.append(odd)
    first, *rest = plugin_text(report).split("\n")
    sentence, _, figures = first.partition(" | ")
    assert sentence == "TOSSL CRITICAL - /it's / a=b .pem: a / b c; 1 more; of 2 certificates"
    assert not _FIGURE.sub("", figures).strip()
    assert "'/it''s _ a_b .pem'=86400s;" in figures
    assert len(rest) == 2
    assert not [line for line in rest if "|" in line or not line.isprintable()]


def test_many_certificates_make_no_long_output(shop: Shop) -> None:
    for number in range(3000):
        shop.put(f"n{number}.example", *((-10, 80) if number % 2 else (-91, -1)))
    text = plugin_text(shop.report())
    first, *rest = text.split("\n")
    assert len(first) < 300
    assert len(rest) == 101
    assert rest[-1] == "and 2900 more"
    for number in range(3000):
        shop.put(f"n{number}.example")
    assert plugin_text(shop.report()).split("\n")[1:] == ["and 3000 more"]


#: A line of the text exposition format 0.0.4 for a gauge.
_METRIC = re.compile(
    r"# HELP (?P<helped>[a-z_]+) [^\n]+|# TYPE (?P<typed>[a-z_]+) gauge|"
    r'(?P<name>[a-z_]+)(?P<labels>\{(?:,?[a-z]+="(?:[^"\\\n]|\\[\\n"])*")+\}) (?P<value>-?\d+)'
)


def metrics_of(text: str) -> dict[str, int]:
    """The values by name and labels. Fails for what Prometheus would refuse."""
    found: dict[str, int] = {}
    heads: list[str] = []
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        read = _METRIC.fullmatch(line)
        assert read, line
        if read["helped"]:
            heads += [read["helped"]]
        elif read["typed"]:
            assert heads[-1] == read["typed"]
        else:
            assert heads[-1] == read["name"]
            key = read["name"] + (read["labels"] or "")
            assert key not in found
            found[key] = int(read["value"])
    assert len(heads) == len(set(heads))
    return found


def test_the_metrics(shop: Shop) -> None:
    shop.put(persist_until=int(NOW + 300 * DAY))
    shop.put("b.example", -85, 5)
    shop.fail("b.example", paused=True)
    shop.fail("never.example")
    shop.beat(MINUTE, failing=1)
    shop.store.where = lambda name, value="": "here"  # type: ignore[method-assign]
    found = metrics_of(metrics_text(shop.report()))
    one, two = ("tossl_certificate_{}{{name=\"" + name + '.example",store="here"}}' for name in "ab")
    times = {}
    for name, first, second in (("not_before", -10, -85), ("not_after", 80, 5), ("due", 50, -25),
                                ("last_success", -10, -85), ("persist_until", 300, None)):  # fmt: skip
        times[one.format(f"{name}_timestamp_seconds")] = NOW + first * DAY
        if second is not None:
            times[two.format(f"{name}_timestamp_seconds")] = NOW + second * DAY
    assert found == {
        'tossl_check_state{store="here"}': 1,
        **{f'tossl_check_verdicts{{state="{state}",store="here"}}': count
           for state, count in {"ok": 1, "warning": 3, "critical": 0, "unknown": 0}.items()},
        one.format("state"): 0, two.format("state"): 1,
        one.format("failures"): 0, two.format("failures"): 2,
        one.format("paused"): 0, two.format("paused"): 1,
        one.format("deploy_owed"): 0, two.format("deploy_owed"): 0,
        **times,
        'tossl_node_state{node="web",store="here"}': 1,
        'tossl_node_heartbeat_timestamp_seconds{node="web",store="here"}': NOW - MINUTE,
        'tossl_node_ended{node="web",store="here"}': 0, 'tossl_node_certificates{node="web",store="here"}': 3,
        'tossl_node_failing{node="web",store="here"}': 1,
    }  # fmt: skip


def test_the_metrics_of_two_runs_are_no_two_values_of_one(shop: Shop, pem: Pem, tmp_path: Path) -> None:
    """A collector that reads both files would refuse them."""
    shop.put()
    first = metrics_of(metrics_text(shop.report()))
    shop.store.where = lambda name, value="": "elsewhere"  # type: ignore[method-assign]
    second = metrics_of(metrics_text(shop.report()))
    (tmp_path / "f.pem").write_text(pem.make(-10, 80)["certificate"])
    third = metrics_of(metrics_text(report_on_files([FilePath(str(tmp_path / "f.pem"))], Thresholds())))
    assert set(third) == {
        f'tossl_certificate_{name}{{file="{tmp_path}/f.pem"}}'
        for name in ("state", "not_before_timestamp_seconds", "not_after_timestamp_seconds")
    }
    assert not set(first) & set(second)


def test_odd_names_and_files_that_come_twice_spoil_no_metrics(tmp_path: Path) -> None:
    path = FilePath(str(tmp_path / 'a"b\\c\nd'))
    found = metrics_of(metrics_text(report_on_files([path, path], Thresholds())))
    assert found[f'tossl_certificate_state{{file="{tmp_path}/a\\"b\\\\c\\nd"}}'] == 3
    surrogate = report_on_files([FilePath(str(tmp_path / "\udcff"))], Thresholds())
    write_metrics(FilePath(str(tmp_path / "x.prom")), metrics_text(surrogate))
    assert "/?" in (tmp_path / "x.prom").read_text("utf-8")


def test_the_file_of_metrics_is_written_whole_for_everybody(shop: Shop, tmp_path: Path) -> None:
    shop.put()
    path = tmp_path / "tossl.prom"
    path.write_text("before")
    path.chmod(0o600)
    with path.open() as before:
        write_metrics(FilePath(str(path)), metrics_text(shop.report()))
        assert before.read() == "before"  # another file has its name
    assert metrics_of(path.read_text())['tossl_check_state{store="certificates/"}'] == 0
    assert path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in tmp_path.iterdir()] == ["tossl.prom"]
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "pipe")
    for wrong in (tmp_path, tmp_path / "none" / "x.prom", tmp_path / "link", tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(ArgumentError) as caught:
            write_metrics(FilePath(str(wrong)), "x")
        assert caught.value.errorcode == ("TOSSL", "VALUE", "prometheus")


def test_records_are_looked_at_without_what_loads_slowly(tmp_path: Path) -> None:
    """A damaged one is read in the same way: the reader of JSON has its errors from a package that is not loaded."""
    put(tmp_path, "a.example", -10, 80)
    for name in ("{", '{"x": \x00}', '{"x": "', "[1,", '{"x": NaN}'):
        put_set(tmp_path, f"certificates/b{len(name)}.example", "certificate.json", name)
    program = """
import sys
from tossl_acme.commands.acme.kept import check_certificates
from tossl_acme.files import FilePath
from tossl_acme.store.folder import FolderStore
said = check_certificates(prometheus=FilePath(sys.argv[1] + "/x.prom"), store=FolderStore(FilePath(sys.argv[1])))
assert [one["state"] for one in said["certificates"]] == ["ok", *["unknown"] * 5], said
slow = {"requests", "urllib3", "cryptography", "dns", "ssl", "socket"}
slow |= {"json"} if sys.version_info < (3, 12) else set()  # later Pythons load it for the error themselves
print(sorted(slow & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
