"""The journal and its cursors, its chain of hashes and their audit, and the registry of the nodes' keys."""
