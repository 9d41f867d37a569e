"""The services by dialect: like the real services, and like their specifications."""

from __future__ import annotations

import typing as t

from tap_analytics.demo.dialects.experimentation import Experimentation
from tap_analytics.demo.dialects.learning import Learning
from tap_analytics.demo.dialects.spec import (
    Declared,
    SpecExperimentation,
    SpecLearning,
    SpecSuccess,
    SpecWiki,
)
from tap_analytics.demo.dialects.success import Success
from tap_analytics.demo.dialects.wiki import Wiki, WikiGateway

if t.TYPE_CHECKING:
    from tap_analytics.demo.dialects.service import Service

DIALECTS: dict[str, tuple[type[Service], ...]] = {
    "real": (Learning, Experimentation, Wiki, WikiGateway, Success, Declared),
    "spec": (SpecLearning, SpecExperimentation, SpecWiki, SpecSuccess, Declared),
}
