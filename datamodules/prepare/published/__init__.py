"""Sets whose clips are cut out of online videos: from the owners' list to a list of jobs.

The owners publish a CSV: of which video, which frames, which box. The user fetches the videos
(nothing here downloads); each row becomes a job, or is said to be missing or refused. What is
known of each set stands in `sets`, which loads nothing heavy, so nothing is imported here.
"""
