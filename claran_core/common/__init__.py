"""What every stage knows: errors, files, tables, paths, flags, log; frame, sky, subject, boxes, noise."""
