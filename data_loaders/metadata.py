"""The table of a part's windows: names, when they are, and what is true of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from data_loaders.targets import Target
from data_loaders.windows import Windows


def metadata_of(windows: Windows, targets: Sequence[Target], fold: int) -> pd.DataFrame:
    """One row per window, by window id: names, `onset_s` (seconds into the recording), true targets."""
    index = np.arange(len(windows))
    run, anchor = windows.locate(index)
    table = windows.metadata.iloc[run].reset_index(drop=True)
    table = table.assign(onset_s=anchor / table["sfreq"], fold=fold)
    for target in targets:
        truth = target.read(windows, index).numpy()
        named = (
            np.array(target.classes)[truth] if target.classes else truth[:, 0] if truth.shape[1] == 1 else list(truth)
        )
        table[f"true_{target.name}"] = named
    return table.set_index(pd.Index(windows.ids(index), name="window_id"))
