"""Readers of the old service's files: Config.ini, AwsConfig.ini and BatchConfig.yml. Only `settings` imports them."""
