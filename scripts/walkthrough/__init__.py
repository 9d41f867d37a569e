"""The first run, told step by step: five APIs into a database, one question, one day later."""
