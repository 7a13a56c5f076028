"""Reaching monkeys of Perich, Miller and colleagues (DANDI 000688)."""

from __future__ import annotations

from data_loaders.archives import dandi
from data_loaders.archives.base import File
from data_loaders.studies.base import Study


class PerichMiller(Study):
    """Spikes of motor and premotor cortex while monkeys reach: sorted units with cursor and trials, NWB."""

    title = "Long-term recordings of motor and premotor cortical spiking activity during reaching in monkeys"
    url = "https://dandiarchive.org/dandiset/000688"
    licence = "CC-BY 4.0"
    citation = "Perich, Miller, Azabou and Dyer 2024, DANDI:000688; Perich et al. 2018, Neuron 100:964, https://doi.org/10.1016/j.neuron.2018.09.030"
    modality, n_subjects = "spikes", 4
    parts = ("C", "J", "M", "T")

    def files(self, part: str | None = None) -> list[File]:
        """`part` is a monkey: its folder is sub-C, sub-J, sub-M or sub-T."""
        listed = dandi.assets("000688")
        return [file for file in listed if part is None or file.path.startswith(f"sub-{part}/")]
