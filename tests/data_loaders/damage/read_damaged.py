"""Reads damaged folders one after the other and writes a line for each: a process of its own, so that a crash or a hang is seen.

python read_damaged.py CASES OUT    CASES holds one folder per line
"""

import hashlib
import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np

from data_loaders.contracts import Recording
from data_loaders.prepare import find


def read(folder: Path) -> dict:
    """The digest and the decisions of what a folder gives, or the error."""
    try:
        [(reader, source)] = find(folder)
        recording = reader.read(source)
    except Exception as error:
        return {"error": type(error).__name__, "text": str(error)}
    return {"digest": digest(recording), "decisions": list(recording.decisions)}


def digest(recording: Recording) -> str:
    """All that a recording holds, in one number."""
    found = hashlib.sha256(
        repr((recording.ch_names, recording.ch_types, recording.units, recording.sfreq, recording.bads)).encode()
    )
    spikes = recording.spikes
    arrays = [recording.signal, recording.ch_positions, recording.segments, None if spikes is None else spikes.times]
    arrays += [
        None if spikes is None else spikes.channels,
        *(recording.streams[name].values for name in sorted(recording.streams)),
    ]
    for array in arrays:
        found.update(
            b"none" if array is None else np.round(np.nan_to_num(np.asarray(array, dtype=np.float64)), 12).tobytes()
        )
    events = recording.events
    found.update((f"{recording.duration:.9f}" + ("" if events is None else events.round(9).to_csv())).encode())
    return found.hexdigest()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    # what readers print while they stumble is not looked at
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with open(sys.argv[2], "a", encoding="utf-8") as out:
        for line in Path(sys.argv[1]).read_text(encoding="utf-8").split("\n"):
            out.write(json.dumps({"folder": line, **read(Path(line))}) + "\n")
            out.flush()
