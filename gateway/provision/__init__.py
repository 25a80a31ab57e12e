"""What a technician's workstation does for a node; never imported by the daemon's path."""
