"""The ground: settings, database, blobs, accounts, audit. Knows nothing of medicine."""
