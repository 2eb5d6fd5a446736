"""What faults cost: killed jobs, lost nodes, broken archives."""
