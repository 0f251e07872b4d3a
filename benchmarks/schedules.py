"""Time per expression of the schedule core, beside systemd-cron's own translation of the same ones.

    python benchmarks/schedules.py [--count 10000] [--generator /lib/systemd/system-generators/...]

The neighbour is Debian 12's systemd-cron (`apt-get install systemd-cron`), whose generator is a Python
program that reads a crontab of the same expressions and writes its timers, in the same run. It composes
a line only as it writes the unit, so the time to write is part of it; our share of that is timed too.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.machinery
import importlib.util
import io
import itertools
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

NOW = datetime(2026, 11, 21, tzinfo=UTC)
GENERATOR = Path("/lib/systemd/system-generators/systemd-crontab-generator")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--generator", type=Path, default=GENERATOR)
    options = parser.parse_args(sys.argv[1:] if __name__ == "__main__" else [])
    texts = [draw(random.Random(n)) for n in range(options.count)]  # noqa: S311 - the same each time
    started, bare = import_time() * 1e3, import_time("") * 1e3
    print(f"import of the schedule core: {started - bare:.1f} ms beyond Python's own {bare:.1f} ms")
    ours = report("cncop, no zone", len(texts), lambda: translate_all(texts, None))
    report("cncop again, fields known", len(texts), lambda: translate_all(texts, None))
    report("cncop, Europe/Berlin", len(texts), lambda: translate_all(texts, "Europe/Berlin"))
    writing = report("cncop, writing a timer and a service of each", len(texts), lambda: write_all(texts))
    if not options.generator.exists():
        print(
            f"{options.generator} is missing: install systemd-cron of Debian 12 to compare", file=sys.stderr
        )
        return 3
    theirs = report("systemd-cron", len(texts), lambda: neighbour(options.generator, texts))
    print(f"cncop takes {ours / theirs:.0%} of its time, {writing / theirs:.0%} with the writing of units")
    return 0 if ours < theirs else 1


def draw(source: random.Random) -> str:
    """Return a five-field expression as crontabs have them."""
    limits = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
    return " ".join(draw_field(source, low, high) for low, high in limits)


def draw_field(source: random.Random, low: int, high: int) -> str:
    a, b = sorted((source.randint(low, high), source.randint(low, high)))
    step = source.choice([2, 3, 5, 10, 15])
    several = ",".join(str(source.randint(low, high)) for _ in range(3))
    return source.choice(["*", "*", f"*/{step}", str(a), str(b), f"{a}-{b}", several])


def report(name: str, count: int, work: Callable[[], None]) -> float:
    """Print and return the mean time per expression in microseconds."""
    start = time.perf_counter()
    work()
    mean = (time.perf_counter() - start) / count * 1e6
    print(f"{name}: {mean:.1f} us per expression")
    return mean


def translate_all(texts: list[str], zone: str | None) -> None:
    from cncopctl.core.schedule import ScheduleError, parse, translate

    for text in texts:
        with contextlib.suppress(ScheduleError):
            translate(parse(text, zone=zone), now=NOW)


def write_all(texts: list[str]) -> None:
    """Translate, and write files of the number and size that systemd-cron writes."""
    from cncopctl.core.schedule import ScheduleError, parse, translate

    with tempfile.TemporaryDirectory() as directory:
        for number, text in enumerate(texts):
            with contextlib.suppress(ScheduleError):
                lines = "\n".join(translate(parse(text), now=NOW).oncalendar)
                timer = Path(directory, f"{number}.timer")
                timer.write_text(f"[Unit]\nDescription={text}\n\n[Timer]\nOnCalendar={lines}\n")
                Path(directory, f"{number}.service").write_text(f"[Unit]\nDescription={text}\n")
                Path(directory, f"{number}.wants").symlink_to(timer)


def neighbour(generator: Path, texts: list[str]) -> None:
    """Have systemd-cron's generator translate a crontab of the expressions into its timers."""
    module = loaded(generator)
    with tempfile.TemporaryDirectory() as directory, contextlib.redirect_stderr(io.StringIO()):
        crontab = Path(directory, "crontab")
        crontab.write_text("".join(f"{text} root /bin/true\n" for text in texts))
        module.TARGET_DIR, module.TIMERS_DIR = directory, f"{directory}/timers"
        Path(module.TIMERS_DIR).mkdir()
        numbers = itertools.count()
        for job in module.parse_crontab(str(crontab), withuser=True):
            module.generate_timer_unit(job, seq=numbers)
        written = sum(1 for _ in Path(directory).glob("*.timer"))
    assert written > len(texts) * 0.9, f"systemd-cron translated {written} of {len(texts)} expressions"


def loaded(generator: Path) -> Any:
    loader = importlib.machinery.SourceFileLoader("systemd_crontab_generator", str(generator))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def import_time(module: str = "cncopctl.core.schedule") -> float:
    """Return the shortest of ten starts of Python that import a module, in seconds."""
    script = f"import {module}" if module else "pass"
    times = []
    for _ in range(10):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", script], check=True)
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    sys.exit(main())
