"""Lines of a file descriptor, whatever they are: any bytes, any length, any speed."""

from __future__ import annotations

import os
from collections.abc import Iterator

_BLOCK = 1 << 16
# No schedule is as long; who sends more gets an answer, but does not fill the memory.
LONGEST = 1 << 16


def lines_of(descriptor: int) -> Iterator[list[bytes]]:
    """The lines of a file descriptor without their ends, in lists of those that came together.

    So a program that asks and waits for each answer gets it, and one that sends thousands at once is not
    kept waiting by thousands of writes. Of a line longer than LONGEST its first LONGEST + 1 bytes are given.
    """
    pending = b""
    while block := os.read(descriptor, _BLOCK):
        *whole, rest = block.split(b"\n")
        if whole:
            whole[0] = pending + whole[0]
            pending = b""
            yield [line[: LONGEST + 1] for line in whole]
        pending = (pending + rest)[: LONGEST + 1]
    if pending:
        yield [pending]
