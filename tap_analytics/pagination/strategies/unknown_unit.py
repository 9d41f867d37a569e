"""Paging by a number whose unit is still to be found out."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from tap_analytics.pagination.strategies.numbered import PageNumber


@dataclass(frozen=True, kw_only=True)
class UnknownUnit(PageNumber):
    """An offset called `page`: by row or by page, whatever the first two pages show."""

    base_page: int | None = 1
    total_path: str | None = "total"

    @property
    @override
    def is_whole(self) -> bool:
        return False
