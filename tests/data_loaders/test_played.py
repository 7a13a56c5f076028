"""The stimulus of a stretch is that of the one event which covers it, and of none where several do."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from data_loaders.played import stimuli

SLACK = 1e-6

seconds = st.tuples(st.integers(0, 4), st.sampled_from([0.0, SLACK])).map(sum)
events = st.lists(
    st.tuples(st.integers(0, 2), seconds, seconds, st.sampled_from(["", "a.wav", "b.wav"])), min_size=1, max_size=8
)
spans = st.lists(st.tuples(st.integers(0, 2), seconds, seconds), min_size=1, max_size=8)


@given(events=events, spans=spans)
def test_stimuli_of_all_recordings_are_those_of_each_stretch_alone(events: list, spans: list) -> None:
    told = pd.DataFrame(events, columns=["recording", "onset", "duration", "stim_file"])
    recording = np.array([span[0] for span in spans])
    found = stimuli(told, recording, np.array([[start, start + length] for _, start, length in spans]))
    if not any(event[3] for event in events):
        assert found is None
        return
    wanted = []
    for of, start, length in spans:
        named = [event for event in events if event[0] == of and event[3]]
        over = [event for event in named if event[1] <= start + SLACK and event[1] + event[2] >= start + length - SLACK]
        one = (over[0][3], over[0][1]) if len(over) == 1 else ("" if named else np.nan, np.nan)
        wanted.append(dict(zip(("stimulus", "stimulus_onset"), one, strict=True)))
    pd.testing.assert_frame_equal(found, pd.DataFrame(wanted), check_dtype=False)
