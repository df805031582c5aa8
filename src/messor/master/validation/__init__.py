"""What a framework asks is checked here before anything changes: one file per kind of thing.

Validators raise InvalidRequest with the sentence Mesos uses; whoever called turns it into an HTTP status, an ERROR
event or a TASK_ERROR. They may read the master's records and never change them.
"""
