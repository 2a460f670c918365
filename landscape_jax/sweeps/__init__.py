"""Runs of any objective in chunks on disk."""
