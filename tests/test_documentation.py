"""The documentation site: it builds without a warning, is complete, and no link is broken."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import landscape_jax as lj

from .pages import ROOT, python_blocks, run_blocks

SOURCES = ROOT / "notebooks"
PAGES = sorted(p for p in SOURCES.rglob("*.md") if "api" not in p.relative_to(SOURCES).parts)
WRITTEN = [*PAGES, *sorted((ROOT / ".github").glob("*.md"))]


def resolved(path: str) -> object:
    """Follow a dotted path from the package."""
    found: object = lj
    for part in path.split("."):
        annotated = part in getattr(found, "__annotations__", {})
        found = None if annotated else getattr(found, part)
    return found


class Links(HTMLParser):
    """Collect what a page links to, loads, and can be linked to."""

    def __init__(self, page: Path):
        super().__init__()
        self.targets: list[str] = []
        self.loaded: list[str] = []
        self.places: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value is not None}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        self.targets += [given[name] for name in ("href", "src") if name in given]
        loads = tag in ("script", "img", "iframe", "link")
        self.loaded += [given[name] for name in ("href", "src") if name in given and loads]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("myst_nb")
    folder = tmp_path_factory.mktemp("site")
    options = ["-W", "--keep-going", "-n", "-q", "-d", str(folder / "doctrees")]
    command = [sys.executable, "-m", "sphinx", *options, str(SOURCES), str(folder / "html")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.mark.slow
def test_every_public_name_has_exactly_one_description(site):
    from _public import described
    from sphinx.util.inventory import InventoryFile

    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="").data
    entries = [
        name for kind, found in inventory.items() if kind.startswith("py:") for name in found
    ]
    assert len(entries) == len(set(entries))
    paths: dict[str, set[str]] = {}
    for path, home in described().items():
        paths.setdefault(home, set()).add(path)
    assert len(paths) > 350
    for home, names in paths.items():
        assert names & set(entries) == {home}


@pytest.mark.slow
def test_the_site_is_read_offline_and_every_link_leads_somewhere(site):
    pages = {page: Links(page) for page in site.rglob("*.html")}
    assert len(pages) > 60
    broken = []
    for page, links in pages.items():
        assert not [url for url in links.loaded if urlsplit(url).netloc], page
        for target in links.targets:
            url = urlsplit(target)
            if (
                url.scheme
                or url.netloc
                or (page.name in ("search.html", "genindex.html") and target == "#")
            ):
                continue
            file = (page.parent / unquote(url.path)).resolve() if url.path else page
            known = pages.get(file)
            fragment = unquote(url.fragment)
            if not file.exists() or (fragment and (known is None or fragment not in known.places)):
                broken.append(f"{page.relative_to(site)}: {target}")
    assert not broken


def test_a_type_of_another_package_is_not_taken_for_a_class_of_the_same_name():
    pytest.importorskip("myst_nb")
    from _api import signature

    assert lj.theory.added_neurons.Path.__name__ == "Path"
    assert signature(lj.Claim.save).endswith("-> Path")
    returned = signature(lj.theory.added_neurons.example_3)
    assert returned.endswith("-> landscape_jax.theory.added_neurons.Path")


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_every_path_that_a_page_names_is_there(page):
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"`lj\.([A-Za-z_][\w.]*)", text):
        resolved(path)
    for file in re.findall(r"`((?:landscape_jax|tests|benchmarks|notebooks|\.ci)/[\w./]+)`", text):
        assert (ROOT / file).exists() or file == "notebooks/api/", file


def test_every_test_of_a_theorem_is_there():
    rows = re.findall(r"`([\w/]+\.py)::(\w+)`", (SOURCES / "theorems.md").read_text("utf-8"))
    assert len(rows) > 80
    for file, name in rows:
        source = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", source, re.MULTILINE), f"{file}::{name}"


def test_which_function_answers_many_questions():
    text = (SOURCES / "which_function.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^\| .*\?.* \|", text, re.MULTILINE)) >= 35


def test_citation_and_package_have_one_version():
    cited = re.search(r'^version: "(.+)"$', (ROOT / "CITATION.cff").read_text("utf-8"), re.M)
    built = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.M)
    assert cited is not None
    assert built is not None
    assert cited[1] == built[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if python_blocks(page)], ids=lambda page: page.name
)
def test_the_python_of_a_page_runs(page):
    assert run_blocks(page)
