"""One map of the brain: a value per channel, its colours, and the bar that explains them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class BrainMap:
    """Values by channel name (NaN where there is none); `signed` ones are drawn about zero."""

    title: str
    values: pd.Series
    signed: bool = True

    @property
    def high(self) -> float:
        """The end of the scale: all but the most extreme hundredth lie within."""
        known = np.abs(self.values.to_numpy(dtype=float))
        known = known[np.isfinite(known)]
        return float(np.quantile(known, 0.99)) or 1.0 if len(known) else 1.0

    @property
    def low(self) -> float:
        return -self.high if self.signed else 0.0

    @property
    def colours(self) -> str:
        """Red is above zero."""
        return "RdBu_r" if self.signed else "Reds"


def bar(drawn: Figure, place: Axes, one: BrainMap) -> None:
    """The scale of a map, its ends written."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = drawn.colorbar(ScalarMappable(Normalize(one.low, one.high), one.colours), cax=place)
    scale.set_ticks([one.low, one.high])
    scale.set_ticklabels([f"{one.low:.2g}", f"{one.high:.2g}"], fontsize=8)
