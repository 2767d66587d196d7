"""Small multiples: one small column chart per measure, with the same columns in each.

Invariant: as in `charts.py`, a `str` argument is escaped, and a chart needs no script and no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sparkify_lake.render.charts import Markup, text

# The drawing area of a small chart, in SVG units.
WIDTH, HEIGHT = 170, 68
BOTTOM_MARGIN, TOP_MARGIN = 15, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A measure of all versions.

    Attributes:
        title: What is measured.
        values: Its values; None where it is not known.
        texts: The values as text.
        color: The CSS class of the columns: "first", "second" or "bad".
    """

    title: str
    values: Sequence[float | None]
    texts: Sequence[str]
    color: str = "first"


def small_multiples(measures: Sequence[Measure], names: Sequence[str]) -> Markup:
    """Draws one chart per measure, each with its newest value.

    Args:
        measures: The measures.
        names: The names of the columns, such as the numbers of versions.
    """
    drawn = "".join(
        f'<div class="small"><span>{text(one.title)}</span><b>{text(one.texts[-1] or "not known")}</b>'
        f"{_chart(one, names)}</div>"
        for one in measures
    )
    return Markup(f'<div class="multiples">{drawn}</div>')


def _chart(measure: Measure, names: Sequence[str]) -> str:
    highest = max((value for value in measure.values if value is not None), default=0) or 1
    base, pitch = HEIGHT - BOTTOM_MARGIN, WIDTH / len(names)
    width = min(pitch * 0.8, 28.0)
    parts = [f'<line x1="0" x2="{WIDTH}" y1="{base}" y2="{base}"/>']
    for at, (value, shown, name) in enumerate(zip(measure.values, measure.texts, names, strict=True)):
        if value is not None:
            height = value / highest * (base - TOP_MARGIN)
            parts.append(
                f"<g><title>{text(name)}: {text(shown)}</title>"
                f'<rect class="{measure.color}" x="{(at + 0.5) * pitch - width / 2:.1f}"'
                f' y="{base - height:.1f}" width="{width:.1f}" height="{height:.1f}"/></g>'
            )
    is_wide = pitch > 60  # a name fits below its column
    for at in sorted({0, len(names) - 1}):
        x, anchor = ((at + 0.5) * pitch, "middle") if is_wide else (0, "start") if at == 0 else (WIDTH, "end")
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 3}" text-anchor="{anchor}">{text(names[at])}</text>')
    label = f'role="img" aria-label="{text(measure.title)}"'
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" {label}>{"".join(parts)}</svg>'
