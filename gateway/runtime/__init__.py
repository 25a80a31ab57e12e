"""The moving parts: one task each."""
