"""Looks at subnets and security groups, whoever made them."""
