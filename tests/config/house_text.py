"""The demo house file as text to be spoiled, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

from config.load import DEMO, check


def demo_text() -> str:
    """The demo house file."""
    return DEMO.read_text(encoding="utf-8")


def write_house(folder: Path, text: str | bytes) -> Path:
    """A house file beside the recorded data."""
    link = folder / "data"
    if not link.exists():
        link.symlink_to(DEMO.parent / "data")
    path = folder / "house.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def faults(folder: Path, *changes: tuple[str, str]) -> list[str]:
    """The lines that `check` says of the demo house with some text replaced."""
    text = demo_text()
    for old, new in changes:
        assert old in text, f"the demo has no {old!r} any more"
        text = text.replace(old, new)
    return [str(fault) for fault in check(write_house(folder, text))]
