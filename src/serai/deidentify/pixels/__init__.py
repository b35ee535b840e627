"""Text burned into pictures: found by rule and by reading, and painted over."""
