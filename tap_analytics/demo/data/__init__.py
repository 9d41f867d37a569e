"""The records of the demo: generated, and reproducible by seed and scale."""

from __future__ import annotations

import typing as t

from tap_analytics.demo.data import declared_rows, experimentation, learning, success, wiki
from tap_analytics.demo.data.changes import change
from tap_analytics.demo.data.dataset import Dataset, Row

__all__ = ["Dataset", "Row", "change", "filled"]


def filled(*, seed: int = 7, scale: float = 1.0, empty: t.Collection[str] = ()) -> Dataset:
    """Return a dataset with the records of all APIs, except for the streams in `empty`.

    Raises `ValueError` for an unknown stream.
    """
    dataset = Dataset(seed=seed, scale=scale)
    for api in (learning, experimentation, wiki, success, declared_rows):
        api.fill(dataset)
    for stream in empty:
        dataset.clear(stream)
    return dataset
