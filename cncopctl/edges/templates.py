"""Rendering units: the only place that knows Jinja2.

Values arrive quoted for their place (core/unit_text), so that nothing is escaped here, and an unknown name
in a template is an error.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cncopctl.core.units import UnitFacts

if TYPE_CHECKING:
    import jinja2


class UnitTemplates:
    """The templates of one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @cached_property
    def _environment(self) -> jinja2.Environment:
        import jinja2  # a sync that changes nothing renders nothing

        return jinja2.Environment(
            loader=jinja2.FileSystemLoader(self._directory),
            undefined=jinja2.StrictUndefined,
            autoescape=False,  # noqa: S701 - unit files are no HTML
            keep_trailing_newline=True,
            auto_reload=False,
        )

    def render(self, facts: UnitFacts) -> str:
        """The text of the unit, not sealed yet."""
        return self._environment.get_template(facts.template).render(facts.values)
