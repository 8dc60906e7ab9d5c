"""The reference of scenario keys is in step with the models."""

from pathlib import Path

import pytest

from hil.scenario_reference import markdown, mesh_markdown


@pytest.mark.parametrize(
    ("name", "written", "argument"), [("scenario", markdown, ""), ("mesh_scenario", mesh_markdown, " mesh")]
)
def test_the_page_in_the_docs_is_what_the_models_say(name, written, argument):
    page = Path(__file__).parents[2] / "docs" / f"{name}.md"
    assert page.read_text() == written(), f"run: python -m hil.scenario_reference{argument} > docs/{name}.md"


def test_a_key_stands_with_its_limits_default_and_meaning():
    row = "| `point_settle_s` | number, >= 0 | `0.2` | time that the gimbal must stay within the tolerance |"
    assert row in markdown()
    assert "| `mounts_deg` | [number, ...] | `(0.0, 180.0, 0.0, 180.0)` |" in mesh_markdown()
    assert "| `role` | `any` or `initiator` or `responder` | `any` |" in markdown()
