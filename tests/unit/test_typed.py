"""What is read out of documents to be typed, and when its output counts as what was said."""

from __future__ import annotations

from pathlib import Path

import pytest
from machine.typed import Typed, typed_in

DOCUMENT = """
```
not typed
```

```console
# cat > f <<'EOF'
# no prompt
EOF
$ ls
a … c
…
z
web-01# true
```
"""


def test_prompts_commands_and_what_they_print_are_told_apart(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text(DOCUMENT)
    assert list(typed_in(document)) == [
        Typed("document.md", "", True, "cat > f <<'EOF'\n# no prompt\nEOF", ()),
        Typed("document.md", "", False, "ls", ("a … c", "…", "z")),
        Typed("document.md", "web-01", True, "true", ()),
    ]


@pytest.mark.parametrize(
    ("output", "is_as_said"),
    [
        ("a b c\nz\n", True),
        ("a  c  \nmore\n\nz\n\n", True),
        ("a b c\n", False),
        ("a b c\nz\nmore\n", False),
        ("b a c\nz\n", False),
        ("", False),
    ],
)
def test_output_is_compared_but_for_what_differs_everywhere(output: str, is_as_said: bool) -> None:
    typed = Typed("document.md", "", True, "ls", ("a … c", "…", "z"))
    assert (typed.mismatch(output) == "") == is_as_said
