"""How much one import takes at once, so that no file can fill memory or disk."""

# A whole JSON document is decoded in memory; Synthea's largest histories are some 100 MB.
JSON_BYTES = 512 << 20
# One line of NDJSON is one resource, perhaps with an attachment in base64.
LINE_BYTES = 64 << 20
# Larger pictures are mapped from a file instead of read.
PICTURE_IN_MEMORY = 8 << 20
PICTURE_UNPACKED = 16 << 30
# What the members of one archive may unpack to: a bomb is a small file that unpacks to far more.
UNPACKED_RATIO = 200
UNPACKED_ALWAYS = 2 << 30
ARCHIVES_WITHIN_ARCHIVES = 3
# Resources or pictures per transaction: enough to share its cost, few enough to repeat.
RESOURCES_AT_ONCE = 500
PICTURES_AT_ONCE = 32
PICTURE_BYTES_AT_ONCE = 64 << 20
