"""Paper and pen: sizes, colours, panels to the pixel, and the file.

Drawn off screen and without matplotlib's global state, so any thread or process may draw. Colours are those of Okabe
and Ito or told apart by lightness, because one reader in twelve sees red and green as one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_PX, HEAD_PX = 1600, 144
DPI = 100
LEFT_PX, RIGHT_PX, GAP_PX, FOOT_PX = 156, 176, 36, 44

INK, FAINT, GRID = "#20262E", "#6B7683", "#DDE2E7"
SUN, CURTAILED, LOAD, HEAT = "#F2B83B", "#8A6A10", "#7C8896", "#D55E00"
CHARGE, DISCHARGE, IMPORT, EXPORT = "#009E73", "#AA4499", "#34608F", "#56B4E9"
COSTS_TO_SELL, PAID_TO_BUY = "#F1E3F3", "#DDB9E4"
COLD, TOO_WARM, SUN_WARM = "#C1121F", "#5B2A86", "#E08A00"


POLICY_LINES: Mapping[str, tuple[str, str]] = {  # colour, dashes; others are told apart by what is left
    "pems": ("#0072B2", "-"),
    "foresight": ("#009E73", "--"),
    "smart": ("#E69F00", "-."),
    "rules": ("#3D4752", "-"),
    "none": ("#9AA5B1", ":"),
}


@contextmanager
def canvas(height_px: int) -> Iterator[Figure]:
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style: Any = {  # the stub wants every name as a literal
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "text.color": INK,
        "axes.edgecolor": "#AEB7C0",
        "axes.labelcolor": FAINT,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "xtick.color": FAINT,
        "ytick.color": INK,
        "ytick.labelsize": 9.5,
        "hatch.linewidth": 0.6,
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(WIDTH_PX / DPI, height_px / DPI), dpi=DPI, facecolor="white")
        FigureCanvasAgg(figure)
        yield figure


def stack(figure: Figure, head_px: float, heights_px: Sequence[float]) -> list[Axes]:
    """Panels under one another, to the pixel; the one of height 0 takes what is left."""
    height_px = figure.get_figheight() * DPI
    left_over = height_px - head_px - FOOT_PX - sum(heights_px) - GAP_PX * (len(heights_px) - 1)
    top, axes = head_px, []
    for asked in heights_px:
        height = asked or left_over
        box = (
            LEFT_PX / WIDTH_PX,
            1 - (top + height) / height_px,
            1 - (LEFT_PX + RIGHT_PX) / WIDTH_PX,
            height / height_px,
        )
        axes.append(figure.add_axes(box))
        top += height + GAP_PX
    return axes


def put(figure: Figure, x_px: float, y_px: float, text: str, **how: Any) -> None:
    """Text at a place counted from the upper left corner."""
    figure.text(x_px / WIDTH_PX, 1 - y_px / (figure.get_figheight() * DPI), text, **{"va": "center", **how})


def heading(figure: Figure, title: str, below: str) -> None:
    """Title and one line below it, in the first `HEAD_PX` of the picture."""
    put(figure, LEFT_PX, 38, title, fontsize=19, fontweight="bold")
    put(figure, LEFT_PX, 66, below, fontsize=11.5, color=FAINT)


def signed(value: float, decimals: int, *, plus: bool = False) -> str:
    """A number with a real minus, and never a negative zero."""
    text = f"{value:+.{decimals}f}" if plus else f"{value:.{decimals}f}"
    return f"{0:.{decimals}f}" if not float(text) else text.replace("-", "\u2212")


def policy_line(name: str) -> tuple[str, str]:
    return POLICY_LINES.get(name, ("#AA4499", "-"))


def label(ax: Axes, what: str, unit: str) -> None:
    ax.text(0, 1, what, transform=ax.transAxes, ha="left", va="bottom", fontsize=11.5, fontweight="bold")
    if unit:
        ax.set_ylabel(unit, fontsize=10)
        ax.yaxis.set_label_coords(-54 / (WIDTH_PX - LEFT_PX - RIGHT_PX), 0.5)


def legend(ax: Axes, handles: Sequence[Any] | None = None) -> None:
    shown = list(handles) if handles is not None else ax.get_legend_handles_labels()[0]
    if shown:
        ax.legend(
            handles=shown,
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=len(shown),
            frameon=False,
            fontsize=10,
            handlelength=1.4,
            handletextpad=0.5,
            columnspacing=1.5,
            borderaxespad=0.0,
            borderpad=0.15,
        )


def unsigned(ax: Axes) -> None:
    """Directions are told by up and down, so the numbers need no sign."""
    ax.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")


def png_only(path: Path) -> None:
    if path.suffix.lower() != ".png":
        raise ConfigError(f"cannot draw {path.name}: pictures are PNG", hint="name a file that ends in .png")


def save(figure: Figure, path: Path) -> None:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(buffer.getvalue())
        draft.replace(path)
    except OSError as bad:
        raise ConfigError(f"cannot write {path}: {bad.strerror or bad}", hint="name another file with --plot") from bad
    finally:
        with suppress(OSError):  # nothing to remove: the folder itself could not be made
            draft.unlink(missing_ok=True)
