"""The light viewer at /light: a study on a phone and a thin line, middle pictures first."""
