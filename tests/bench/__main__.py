"""`make bench`: every tests/bench/bench_*.py in turn, its figures in one table.

A bench module has `run() -> list[(name, value, unit, target, ok)]`; the fields after `unit` may be missing.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent


def names(chosen: Iterable[str]) -> list[str]:
    """Names of the bench modules present, or those chosen."""
    present = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    unknown = sorted(set(chosen) - set(present))
    if unknown:
        sys.exit(f"error: no bench {unknown[0]!r}; there are {', '.join(present)}")
    return [name for name in present if not chosen or name in set(chosen)]


def figures(name: str) -> list[dict[str, Any]]:
    """The figures of one module; one that fails is a figure that is missed, not the end of the table."""
    try:
        rows = importlib.import_module(f"tests.bench.bench_{name}").run()
    except Exception as error:  # noqa: BLE001 - the other benches still have something to say
        return [{"bench": name, "name": f"failed: {type(error).__name__}: {error}", "ok": False}]
    fields = ("name", "value", "unit", "target", "ok")
    return [{"bench": name, **dict(zip(fields, row, strict=False))} for row in rows]


def main() -> int:
    """Run, print, and answer 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("bench", nargs="*", help="only these")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    rows = [row for name in names(given.bench) for row in figures(name)]
    if given.json:
        print(json.dumps(rows, indent=2, default=str))
    else:
        Console(width=None if sys.stdout.isatty() else 140).print(table(rows))
    return 1 if any(row.get("ok") is False for row in rows) else 0


def table(rows: list[dict[str, Any]]) -> Table:
    """One line per figure."""
    result = Table(header_style="bold")
    for name in ("bench", "figure", "measured", "unit", "reach", ""):
        result.add_column(name, justify="right" if name == "measured" else "left")
    for row in rows:
        ok = row.get("ok")
        verdict = "" if ok is None else "[green]yes[/]" if ok else "[red]no[/]"
        value = row.get("value")
        shown = f"{value:,.4g}" if isinstance(value, float) else "" if value is None else f"{value:,}"
        result.add_row(row["bench"], str(row["name"]), shown, row.get("unit", ""), str(row.get("target", "")), verdict)
    return result


if __name__ == "__main__":
    sys.exit(main())
