"""The journal and its cursors."""
