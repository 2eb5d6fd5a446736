"""What all stages use: errors, files, tables, paths, flags, log; frame, sky, subject, boxes, noise."""
