"""Charts as inline SVG without style, which the pages' policy forbids."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 120, 28
_PLOT_WIDTH, _PLOT_HEIGHT, _MARGIN = 640, 320, 8


def bars(values: Sequence[float], label: str, width: int = _WIDTH, height: int = _HEIGHT) -> Markup:
    """Draw bars from 0; `label` is for screen readers."""
    most = max(values, default=0) or 1
    step = width / max(1, len(values))
    drawn = Markup("").join(
        Markup('<rect x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"/>').format(
            place * step, height - high, max(step - 1, step * 0.8), high
        )
        for place, value in enumerate(values)
        if (high := max(height * value / most, 1 if value > 0 else 0))
    )
    return _svg(width, height, label, drawn, "bars")


def histogram(found: dict[str, Any], name: str) -> Markup:
    values = sum(found["counts"])
    label = f"{name}: {values} number{'s' if values != 1 else ''} from {found['low']:.6g} to {found['high']:.6g}"
    return bars(found["counts"], label)


def plot(points: Sequence[Sequence[float]], x: str, y: str) -> Markup:
    across, up = _shares([point[0] for point in points]), _shares([point[1] for point in points])
    drawn = Markup("").join(
        Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3"/>').format(
            _MARGIN + a * (_PLOT_WIDTH - 2 * _MARGIN), _PLOT_HEIGHT - _MARGIN - b * (_PLOT_HEIGHT - 2 * _MARGIN)
        )
        for a, b in zip(across, up, strict=True)
    )
    return _svg(_PLOT_WIDTH, _PLOT_HEIGHT, f"{len(points)} points: {y} over {x}", drawn, "plot")


def _shares(values: Sequence[float]) -> list[float]:
    # The least is 0, the greatest 1. A difference may overflow, so halves are subtracted.
    low, high = min(values, default=0) / 2, max(values, default=0) / 2
    return [(value / 2 - low) / (high - low) if high > low else 0.5 for value in values]


def _svg(width: int, height: int, label: str, drawn: Markup, kind: str) -> Markup:
    return Markup('<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        kind, width, height, escape(label), drawn
    )
