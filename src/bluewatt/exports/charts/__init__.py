"""Bounded time series, drawn as SVG."""
