"""The command line, `hemozoin VERB`.

- `main`: the verbs together, and what is printed after an error
- `options`: options that several verbs share
- `extras`: checks that optional parts are installed
- `verbs`: one file for each verb
"""
