"""The pages say what the code says."""

from pathlib import Path

from meetbot_calendar.commands.settings_table import describe
from rules import facts, language
from rules.presets import presets

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_on_rules_lists_every_variable_operator_and_preset() -> None:
    page = (ROOT / "docs" / "rules.md").read_text()

    assert facts.reference().strip() in page
    assert language.reference().strip() in page
    assert all(f"| {one['title']} | {one['sentence']} |" in page for one in presets())


def test_the_readme_lists_every_setting_with_its_sentence() -> None:
    readme = (ROOT / "README.md").read_text()

    missing = [name for name, _, what in describe() if f"| `{name}` |" not in readme]
    assert missing == []
    assert all(f"| {what} |" in readme for _, _, what in describe())
