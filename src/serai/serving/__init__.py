"""`serai serve`: one supervisor that starts the database, the web workers and the DICOM
listener, keeps them alive and stops them all.

The supervisor stays small. The parts are processes of their own, so that a slow picture
never holds up a page, and load their code while the database starts.
"""
