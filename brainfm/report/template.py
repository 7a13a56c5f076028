"""Templates: a page is one file, with its style sheet inside."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

PAGE = "report.html"


def rendered(template_name: str, /, **values: Any) -> str:
    """The template of that name beside this file, filled in. Text is escaped; a value that the template lacks is an error."""
    pages = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, loader=FunctionLoader(_packaged))
    return pages.get_template(template_name).render(css=Markup(_packaged("page.css")), **values)


def _packaged(name: str) -> str:
    return files("brainfm.report").joinpath(name).read_text(encoding="utf-8")
