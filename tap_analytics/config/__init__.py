"""Configuration: settings, declared APIs, files."""
