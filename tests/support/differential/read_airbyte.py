"""Read tasks by name on standard input by the Airbyte CDK, and write their rows as JSON."""

import json
import logging
import sys

from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer, Type
from airbyte_cdk.sources.declarative.concurrent_declarative_source import (
    ConcurrentDeclarativeSource,
)

LOGGER = logging.getLogger("airbyte")


def read(name, source, config, streams):
    """Return the rows of each stream, and the type of the error."""
    modes = {"sync_mode": "full_refresh", "destination_sync_mode": "append"}
    known = {"json_schema": {}, "supported_sync_modes": ["full_refresh"]}
    described = [{"stream": {"name": stream, **known}, **modes} for stream in streams]
    catalog = ConfiguredAirbyteCatalogSerializer.load({"streams": described})
    rows = {stream: [] for stream in streams}
    error = ""
    try:
        made = ConcurrentDeclarativeSource(
            catalog=catalog, config=config, state=None, source_config=source
        )
        for message in made.read(LOGGER, config, catalog, []):
            if message.type == Type.RECORD:
                rows[message.record.stream].append(message.record.data)
    except Exception as failure:  # noqa: BLE001 - whatever a tool fails with
        error = type(failure).__name__
        sys.stderr.write(f"{name}: {failure}\n")
    return {"rows": rows, "error": error}


def main():
    found = {
        name: read(name, task["source"], task["config"], task["streams"])
        for name, task in json.load(sys.stdin).items()
    }
    sys.stdout.write("\n" + json.dumps(found, default=str))


main()
