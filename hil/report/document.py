"""What every page of beamlock's is made of: the frame, sections, figures and tiles, in one file."""

from collections.abc import Mapping
from html import escape
from importlib.resources import files

from matplotlib.figure import Figure

from hil.report import style


def document(title: str, head: str, sections: Mapping[str, str], footer: str) -> str:
    """A whole page: `head` and `footer` are HTML, `sections` the HTML below each heading, in order."""
    keys = {heading: f"section-{number}" for number, heading in enumerate(sections)}
    links = " ".join(f'<a href="#{key}">{escape(heading)}</a>' for heading, key in keys.items())
    body = "\n".join(
        f'<section id="{keys[heading]}">\n<h2>{escape(heading)}</h2>\n{html}\n</section>'
        for heading, html in sections.items()
    )
    sheet = files("hil.report").joinpath("style.css").read_text()
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} – beamlock</title>
<style>
{sheet}</style>
</head>
<body>
<main>
<header>
{head}
</header>
<nav>{links}</nav>
{body}
<footer>{footer}</footer>
</main>
</body>
</html>
"""


def picture(drawn: Figure | str, title: str, caption: str) -> str:
    """A figure and its caption, or the words that stand in for one that has nothing to show."""
    if isinstance(drawn, str):
        return f'<p class="nothing">{escape(drawn)}</p>'
    return f"<figure>{style.to_svg(drawn, title, title)}<figcaption>{escape(caption)}</figcaption></figure>"


def tile(label: str, value: str, unit: str, remark: str) -> str:
    """A figure that one asks for first."""
    return (
        f'<div class="tile"><div class="label">{escape(label)}</div>'
        f'<div class="value">{escape(value)} <small>{escape(unit)}</small></div>'
        f'<div class="remark">{escape(remark)}</div></div>'
    )
