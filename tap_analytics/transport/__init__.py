"""HTTP policy: how requests are sent, paced, retried and kept safe.

This package knows neither Singer nor any API.
It turns a `Request` into a response decoded by the caller, or into a single error.
"""
