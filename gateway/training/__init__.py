"""From windows to a Bundle; never imported by the daemon."""
