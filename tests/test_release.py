"""What is released: notices, the packaged description, the files of the distributions."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import landscape_jax

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NOTICES = Path(landscape_jax.__file__).with_name("THIRD_PARTY.md").read_text(encoding="utf-8")


def _needed() -> list[str]:
    found = (re.match(r"[\w-]+", line) for line in PROJECT["project"]["dependencies"])
    return [name.group() for name in found if name]


def test_every_dependency_has_a_notice_with_its_licence():
    licences = dict(re.findall(r"^\| ([\w-]+)[^|]*\| ([^|]+) \|$", NOTICES, re.M))
    for head in ("package", "---"):
        del licences[head]
    assert set(licences) == set(_needed())
    for name, licence in licences.items():
        given = metadata.metadata(name)
        fields = ("License-Expression", "License", "Classifier")
        text = " ".join(str(line) for each in fields for line in given.get_all(each) or [])
        kind = re.match(r"Apache|BSD|MIT|Matplotlib", licence)
        assert kind, f"{name}: {licence}"
        assert re.search(kind.group(), text, re.I), f"{name} is not under {licence}"


def test_the_packaged_description_links_nothing_that_is_not_there():
    hook = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for rule in hook["substitutions"]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    assert "![" not in text
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert links
    assert all(link.startswith(("https://", "#")) for link in links)


@pytest.mark.parametrize("name", ["landscape_jax", "tests", "benchmarks", "notebooks", "README.md"])
def test_the_source_distribution_holds(name):
    assert name in PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]


def test_versions_agree():
    assert metadata.version("landscape-jax") == PROJECT["project"]["version"]
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {PROJECT['project']['version']}" in cited.replace('"', "")
