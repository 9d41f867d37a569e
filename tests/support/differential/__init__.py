"""Imported descriptions beside the tools they were written for.

A construct of the vocabulary is an API, as a manifest of Airbyte and a configuration of dlt
describe it. Both are read from one server, by their own tool and by the tap that imports them.
"""
