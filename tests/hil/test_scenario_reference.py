"""The reference of scenario keys is in step with the models."""

from pathlib import Path

from hil.scenario_reference import markdown


def test_the_page_in_the_docs_is_what_the_models_say():
    page = Path(__file__).parents[2] / "docs" / "scenario.md"
    assert page.read_text() == markdown(), "run: python -m hil.scenario_reference > docs/scenario.md"


def test_a_key_stands_with_its_limits_default_and_meaning():
    row = "| `point_settle_s` | number, >= 0 | `0.2` | time that the gimbal must stay within the tolerance |"
    assert row in markdown()
    assert "| `role` | `any` or `initiator` or `responder` | `any` |" in markdown()
