"""Tables out of records: what is judged how, and how it is written."""
