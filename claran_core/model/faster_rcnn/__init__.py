"""The paper's Faster R-CNN (section 4)."""
