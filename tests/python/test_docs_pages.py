"""The pages in docs/ are what the generator makes of the commands, and say something of each thing that there is."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from docs.generator.index import PATH, index
from docs.generator.page import MADE, SOURCES, manuals, page_of, pages
from docs.generator.troff import man_page
from tossl_acme.tcl.manual import Manual

DOCS = SOURCES.parent
PAGES = pages()
MANUALS = [manual for each in manuals().values() for manual in each]
each_page = pytest.mark.parametrize("name", PAGES)
each_command = pytest.mark.parametrize("manual", MANUALS, ids=lambda manual: manual.name)
SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "ERRORS", "EXAMPLE", "SEE ALSO"]


@each_page
def test_the_page_is_up_to_date(name: str) -> None:
    assert (MADE / f"{name}.md").read_text("utf-8") == PAGES[name], "run `make docs`, and commit what it changes"


def test_the_index_of_the_commands_is_up_to_date() -> None:
    assert Path(PATH).read_text("utf-8") == index(), "run `make docs`, and commit what it changes"


def test_each_source_has_its_namespace() -> None:
    assert {path.stem for path in SOURCES.iterdir()} == set(PAGES)


@each_page
def test_sections_stand_in_the_usual_order(name: str) -> None:
    found = re.findall(r"^## (.*)$", PAGES[name], re.MULTILINE)
    assert found == [section for section in SECTIONS if section in found]
    assert set(SECTIONS) - set(found) <= {"OPTIONS"}


@each_command
def test_every_argument_and_option_has_a_text(manual: Manual) -> None:
    parameters = [*manual.arguments, *manual.options]
    missing = [each.name for each in parameters if not each.text]
    assert not missing, f"{manual.name}: its docstring lacks a line `NAME  text` for {', '.join(missing)}"


@each_command
def test_the_words_in_braces_are_found_out(manual: Manual) -> None:
    assert not [each.name for each in (*manual.arguments, *manual.options) if re.search(r"\{[a-z_]+\}", each.text)]


@each_command
def test_every_text_is_of_something(manual: Manual) -> None:
    known = {each.name for each in (*manual.arguments, *manual.options)}
    terms = {term.partition(" ")[0] for term in manual.text.description.terms}
    assert terms <= known, f"{manual.name} takes no {', '.join(terms - known)}"


@each_command
def test_errors_are_errorcodes(manual: Manual) -> None:
    codes = manual.errors(shared=False) | manual.errors(shared=True)
    kinds = "ACME|HTTP|KEY|DNS|VALUE|TIMEOUT|CANCELLED|RESOURCE|RETRY|PACKAGE"
    form = re.compile(rf"TOSSL ({kinds})( [\w]+)*|TCL (CANCEL|LIMIT)")
    assert all(form.fullmatch(code) for code in codes)


@each_command
def test_the_summary_is_a_sentence_on_one_line(manual: Manual) -> None:
    assert re.fullmatch(r"[A-Z].*\.", manual.text.summary), manual.text.summary


@each_command
def test_every_command_stands_on_its_page(manual: Manual) -> None:
    page = PAGES[page_of(manual)]
    assert f"#### {manual.name}\n" in page
    synopsis = page.partition("## DESCRIPTION")[0]
    assert " ".join([manual.name, *manual.words]) in " ".join(synopsis.split())
    for option in manual.options:
        assert f"**{option.name}**" in page


@each_page
def test_links_lead_somewhere(name: str) -> None:
    anchors = {re.sub(r"[^\w -]", "", title).lower() for title in re.findall(r"^#+ (.*)$", PAGES[name], re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", PAGES[name]):
        page, _, anchor = target.partition("#")
        assert not page or (MADE / page).is_file(), target
        assert not anchor or anchor in anchors, target


@each_page
@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_the_man_page_is_without_warnings(name: str, tmp_path: Path) -> None:
    page = tmp_path / "page.n"
    page.write_text(man_page(f"tossl_{name}", "0.1.0", PAGES[name]), "utf-8")
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-rLL=100n", str(page)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    for manual in manuals()[name]:
        assert manual.name in shown
    # No markup of Markdown's is left over in the text.
    assert not re.search(r"\*\*|\]\(|^#|```|<!--", shown, re.MULTILINE)


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_the_man_page_of_the_terminal_tool_is_without_warnings(tmp_path: Path) -> None:
    text = (DOCS / "terminal.md").read_text("utf-8")
    page = tmp_path / "page.1"
    page.write_text(man_page("tossl", "0.1.0", text, "1"), "utf-8")
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-rLL=100n", str(page)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].startswith("tossl(1)")
    assert not re.search(r"\*\*|\]\(|^#|```|<!--", re.sub(r"\x1b\[[0-9;]*m", "", done.stdout), re.MULTILINE)


def test_the_links_of_the_terminal_page_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", (DOCS / "terminal.md").read_text("utf-8"))
    assert targets
    assert [target for target in targets if not (DOCS / target).is_file()] == []


def test_markdown_becomes_troff() -> None:
    text = "## A B\n\nOne `co-de` and **bold**, *thin*, [a page](x.md), [tossl::key](key.md).\n"
    text += "\n- **-x** *n* (default 1): why\n\n.dot\n"
    assert man_page("t", "1", text).splitlines()[3:] == [
        ".SH A B",
        ".PP",
        r"One \fBco\-de\fR and \fBbold\fR, \fIthin\fR, a page, tossl_key(n).",
        ".TP",
        r"\fB\-x\fR \fIn\fR (default 1)",
        "why",
        ".PP",
        r"\&.dot",
    ]


def test_code_keeps_its_lines() -> None:
    text = "```tcl\nputs \"a\\n\"\n\n.x 'y'\n```\n\n    b\n\n    c\n"
    assert man_page("t", "1", text).splitlines()[3:] == [
        *(".PP", ".RS 4", ".nf", r'puts "a\en"', "", r"\&.x 'y'", ".fi", ".RE"),
        *(".PP", ".RS 4", ".nf", "b", "", "c", ".fi", ".RE"),
    ]


def steps() -> list[tuple[list[str], list[str]]]:
    """The files and functions of each step that ARCHITECTURE.md draws."""
    found = []
    page = (DOCS / "ARCHITECTURE.md").read_text("utf-8").partition("## Adding")[0]
    for row in page.splitlines():
        cells = [re.findall(r"`([^`]+)`", cell) for cell in row.strip("|").split("|")]
        if len(cells) == 3 and cells[1] and cells[2]:
            found.append((cells[1], cells[2]))
    return found


@pytest.mark.parametrize(("files", "functions"), steps(), ids=lambda names: names[0])
def test_each_step_of_a_call_is_where_the_page_says(files: list[str], functions: list[str]) -> None:
    text = "".join((DOCS.parent / "tossl_acme" / file).read_text("utf-8") for file in files)
    for function in functions:
        for name in re.split(r"::|\.", function.removeprefix("::tossl::")):
            assert re.search(rf"^ *(def|class|proc) (::tossl::)?{name}\b", text, re.MULTILINE), function


def test_what_an_error_has_besides_is_on_the_page_of_errors() -> None:
    page = (DOCS / "errors.md").read_text("utf-8").partition("The `-tossl` return option")[2]
    told = {name for names in re.findall(r"^- (`.*?):", page, re.MULTILINE) for name in re.findall(r"`(\w+)`", names)}
    code = "".join(path.read_text("utf-8") for path in (DOCS.parent / "tossl_acme").rglob("*.py"))
    given = set(re.findall(r"\.details\[\"(\w+)\"\] = ", code))
    assert {"certificate", "scope", "status"} <= given
    assert given <= told
