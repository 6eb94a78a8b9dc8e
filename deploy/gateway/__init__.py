"""The gateway: Envoy in front of the four services, one API for front ends.

`envoy.yaml` is the one configuration, for `make up` and for containers alike;
`python -m deploy.gateway` fills it in from the environment and prints it.
"""
