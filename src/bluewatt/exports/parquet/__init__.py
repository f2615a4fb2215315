"""Parquet files of advertisements and of register values."""
