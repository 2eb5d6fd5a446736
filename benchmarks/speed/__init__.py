"""How fast each part is, and how much memory it takes."""
