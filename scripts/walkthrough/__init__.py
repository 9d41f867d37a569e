"""The first run, step by step: five APIs into a database, one question, one day later."""
