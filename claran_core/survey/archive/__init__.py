"""Images from archives over HTTP."""
