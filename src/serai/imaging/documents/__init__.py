"""What objects without pictures say: structured reports, radiation dose, key images, papers."""
