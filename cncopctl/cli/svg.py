"""Writing SVG: elements in, a well-formed document out."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


class Svg:
    """A picture that grows element by element; `width` and `height` are its size in pixels."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self._size = {"width": width, "height": height, "viewBox": f"0 0 {_number(width)} {_number(height)}"}
        self._parts = [f"<title>{_text(title)}</title>"]

    def rectangle(
        self, box: tuple[float, float, float, float], title: str = "", **attributes: object
    ) -> None:
        """Draw x, y, width, height; the title shows where the mouse rests on it."""
        x, y, width, height = box
        self._add("rect", {"x": x, "y": y, "width": width, "height": height, **attributes}, title)

    def text(self, x: float, y: float, text: str, **attributes: object) -> None:
        """Write a text with its base line at `y`."""
        self._parts.append(f"<text{_attributes({'x': x, 'y': y, **attributes})}>{_text(text)}</text>")

    def line(self, x1: float, y1: float, x2: float, y2: float, **attributes: object) -> None:
        """Draw a line."""
        self._add("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, **attributes}, "")

    def _add(self, name: str, attributes: Mapping[str, object], title: str) -> None:
        inside = f"<title>{_text(title)}</title></{name}>" if title else ""
        self._parts.append(f"<{name}{_attributes(attributes)}{'>' if inside else '/>'}{inside}")

    def document(self) -> str:
        """The whole file."""
        fonts = {"font-family": "DejaVu Sans, Verdana, sans-serif", "font-size": 12}
        root = _attributes({"xmlns": "http://www.w3.org/2000/svg", **self._size, **fonts})
        return "\n".join([f"{_HEAD}<svg{root}>", *self._parts, "</svg>", ""])


def _attributes(values: Mapping[str, object]) -> str:
    """Attributes as XML has them; Python's `font_size` is `font-size`."""
    return "".join(
        f" {name.replace('_', '-')}={quoteattr(_number(value) if isinstance(value, float) else _clean(str(value)))}"
        for name, value in values.items()
    )


def _text(text: str) -> str:
    return escape(_clean(text))


def _clean(text: str) -> str:
    """`text` without what XML cannot say, not even escaped (XML 1.0, section 2.2)."""
    return "".join(c if c in "\t\n" or (c >= " " and not _is_forbidden(c)) else "\ufffd" for c in text)


def _is_forbidden(character: str) -> bool:
    return "\ud800" <= character <= "\udfff" or character in "\ufffe\uffff"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
