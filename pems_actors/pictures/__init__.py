"""Pictures to look at: a simulated week with its rivals, and one plan. matplotlib is loaded when one is drawn."""

from __future__ import annotations

from pems_actors.pictures.plan import plan_picture
from pems_actors.pictures.week import week_picture

__all__ = ["plan_picture", "week_picture"]
