"""Care across distance: the chart of a patient and the workflows between hospitals."""
