"""The demo: five APIs are loaded, queried, changed and loaded again."""
