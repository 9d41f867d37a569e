"""HTTP policy: how requests are sent, paced, retried and kept safe.

This package knows neither Singer nor any API.
It turns a `Request` into whatever its caller's `decode` makes of the response,
or into one clear error.
"""
