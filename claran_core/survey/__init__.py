"""What a survey is, and where its pixels come from."""
